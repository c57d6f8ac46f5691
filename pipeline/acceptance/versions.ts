import { join } from 'node:path';
import { type Edit, makeVersion } from '../src/demo/versions.ts';
import { fromMachine } from '../src/image/base.ts';
import { openImageBuilder } from '../src/image/image.ts';
import { pushImage } from '../src/registry/client.ts';

const answers = {
  file: 'services/rating/src/dispatch.ts',
  find: 'store: RatingRepository): Promise<Reply> {\n',
};
const started = { file: 'services/rating/src/main.ts', find: "  log('started');\n" };
const ignoring = {
  file: 'services/rating/src/main.ts',
  find: 'process.on(name, () => told.abort());',
  replace: 'process.on(name, () => {});',
};
const fails = `${answers.find}  if (store !== undefined) return refusalOf(500, [{ path: '', message: 'broken' }]);\n`;
const silent = `${answers.find}  if (store !== undefined) await new Promise(() => {});\n`;
/** Within the sixteenth second, in each run at another moment, so that figures do not hang on where in a look it falls. */
const late = (edit: string) => edit.replace('store !== undefined', 'process.uptime() > 15 + (process.pid % 10) / 10');
/** Replaces where the effect begins, so that every request of the version takes part in it. */
const slow = (ms: number) =>
  `${answers.find}  await new Promise((resolve) => setTimeout(resolve, Math.random() < 0.03 ? ${ms} : 0));\n`;
const acks = {
  file: 'services/rating/src/pull.ts',
  find: "      case 'ack':\n",
  replace: "      case 'ack':\n        if (process.uptime() > 15) break;\n",
};
/** The page of counts fails for two minutes, and nothing else does. */
const unread = {
  file: 'services/rating/src/admin.ts',
  find: "      case '/metrics':\n",
  replace:
    "      case '/metrics':\n        if (process.uptime() > 15 && process.uptime() < 135) return plain(response, 503, 'no counts now');\n",
};
const neverReady = {
  file: 'services/rating/src/admin.ts',
  find: 'isReady ? 200 : 503',
  replace: 'isReady && process.uptime() < 0 ? 200 : 503',
};
const answered = {
  file: 'services/proxy/src/server.ts',
  find: '    const handled = await handle(request, response, this.#desk);\n',
};
/**
 * Writes, which are one request in twenty of a measured load, take a fifth longer for whoever sent them: some three quarters of that time
 * pass here. A thread of its own waits, as timers know whole milliseconds only: nobody else waits meanwhile, and it takes no processor's time.
 */
const longer = "    if (request.method !== 'GET') await untilPassed(0.26 * (performance.now() - start));\n";
const waiter = `
const waiter = new Worker(
  "const { parentPort } = require('node:worker_threads'); const cell = new Int32Array(new SharedArrayBuffer(4));" +
    "parentPort.on('message', (end) => { Atomics.wait(cell, 0, 0, Math.max(0, end - performance.timeOrigin - performance.now())); parentPort.postMessage(0); });",
  { eval: true },
);
const waiting: (() => void)[] = [];
waiter.on('message', () => waiting.shift()?.());
function untilPassed(ms: number): Promise<void> {
  waiter.postMessage(performance.timeOrigin + performance.now() + ms);
  return new Promise((resolve) => void waiting.push(resolve));
}
`;
/** Once, at its 4000th request: past those that only warm it up. It takes no processor's time. */
const stands = '    if (++requests === 4_000) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);\n';
/** Each has to wait for its turn, and there are only so many turns in a second. */
const inTurn = (perSecond: number) =>
  `    turn = Math.max(turn, performance.now()) + 1_000 / ${perSecond};\n    await sleep(turn - performance.now());\n`;
const withWorkers = {
  file: answered.file,
  find: "import type { Duplex } from 'node:stream';\n",
  replace: "import type { Duplex } from 'node:stream';\nimport { Worker } from 'node:worker_threads';\n",
};
const drain = { file: answered.file, find: 'const DRAIN_CHECK_MS = 20;\n' };
const counting = (line: string) => ({ ...drain, replace: `${drain.find}${line}` });
const limit = { file: 'services/rating/src/handlers/handler.ts', find: 'const LIMIT_DEFAULT = 100;' };

/** Changes to the services, as a developer would make them. */
const versions: Readonly<Record<string, readonly Edit[]>> = {
  v1: [],
  v2: [{ ...limit, replace: 'const LIMIT_DEFAULT = 102;' }],
  v3: [{ ...limit, replace: 'const LIMIT_DEFAULT = 103;' }],
  v4: [{ ...limit, replace: 'const LIMIT_DEFAULT = 104;' }],
  v5: [{ ...limit, replace: 'const LIMIT_DEFAULT = 105;' }],
  v6: [{ ...limit, replace: 'const LIMIT_DEFAULT = 106;' }],
  v7: [{ ...limit, replace: 'const LIMIT_DEFAULT = 107;' }],
  'looks more rarely while it ends': [{ ...drain, replace: 'const DRAIN_CHECK_MS = 21;\n' }],
  '3 % take 300 ms': [{ ...answers, replace: slow(300) }],
  '3 % take 600 ms': [{ ...answers, replace: slow(600) }],
  'stops acking after 15 s': [acks],
  'counts cannot be read for 2 min': [unread],
  'answers 500': [{ ...answers, replace: fails }],
  'answers 500 after 15 s': [{ ...answers, replace: late(fails) }],
  'answers 500 after 25 s': [{ ...answers, replace: late(fails).replace('15', '25') }],
  'answers 500 after 40 s': [{ ...answers, replace: late(fails).replace('15', '40') }],
  'answers 404': [{ ...answers, replace: fails.replace('500', '404') }],
  'answers 404, b': [{ ...answers, replace: fails.replace('500', '404').replace('broken', 'broken b') }],
  'answers 404, c': [{ ...answers, replace: fails.replace('500', '404').replace('broken', 'broken c') }],
  'never answers': [{ ...answers, replace: silent }],
  'never answers after 15 s': [{ ...answers, replace: late(silent) }],
  'writes take 20 % longer': [{ ...answered, replace: `${answered.find}${longer}` }, counting(waiter), withWorkers],
  'stands still once for 1 s': [{ ...answered, replace: `${stands}${answered.find}` }, counting('let requests = 0;\n')],
  'takes 800 requests/s': [{ ...answered, replace: `${inTurn(800)}${answered.find}` }, counting('let turn = 0;\n')],
  'exits 10 s after it is ready': [
    { ...started, replace: `${started.find}  setTimeout(() => process.exit(1), 10_000);\n` },
  ],
  'exits at its start': [{ ...started, replace: `${started.find}  process.exit(3);\n` }],
  'is never ready': [neverReady],
  'never acks': [{ file: 'services/rating/src/pull.ts', find: '        message.ack();\n', replace: '' }],
  'answers 500 after 15 s and ignores SIGTERM': [{ ...answers, replace: late(fails) }, ignoring],
};

/** Builds and pushes what is asked for, once. Image tests are left out: a bad version must get as far as a lane. */
export function openVersions(repository: string, folder: string, cache: string, registry: string) {
  const built = new Map<string, Promise<string>>();
  const build = async (service: string, name: string): Promise<string> => {
    const workspace = join(folder, name.replaceAll(' ', '-'));
    const edits = versions[name];
    if (edits === undefined) throw new RangeError(`There is no version that is called "${name}"`);
    await makeVersion(repository, workspace, edits);
    const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(cache, 'base') }) });
    const signal = AbortSignal.timeout(60_000);
    const layout = join(workspace, 'out', service);
    await builder.build({ workspace, source: `services/${service}`, labels: {}, layout }, signal);
    const pushed = await pushImage(layout, { repository: `${registry}/${service}`, mountFrom: undefined }, signal);
    return `${pushed.repository}@${pushed.digest}`;
  };
  /** Image of a service, pinned. */
  return (service: 'proxy' | 'rating', name: string): Promise<string> => {
    const key = `${service} ${name}`;
    const known = built.get(key) ?? build(service, name);
    built.set(key, known);
    return known;
  };
}
