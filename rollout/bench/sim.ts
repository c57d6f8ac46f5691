/**
 * The judge by simulation: every figure beside its bound, and beside what other tools' rules do on the same releases.
 * `npm run judge:sim -- [--quick] [--workers n] [part …]`; the same command gives the same figures. Exits 1 on a miss.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { holds } from './figures.ts';
import type { Task, Told } from './part.ts';

const parts: Readonly<Record<string, () => Promise<() => void>>> = {
  exact: async () => (await import('./exact.ts')).exact,
  errors: async () => (await import('./failures.ts')).errors,
  power: async () => (await import('./failures.ts')).power,
  times: async () => (await import('./failures.ts')).times,
  ramp: async () => (await import('./ramp.ts')).ramp,
  guards: async () => (await import('./guards.ts')).guards,
  latency: async () => (await import('./latency.ts')).latencyPart,
  lag: async () => (await import('./lag.ts')).lagPart,
  rivals: async () => (await import('./rivals.ts')).rivals,
  cost: async () => (await import('./cost.ts')).cost,
};

if (isMainThread) await main();
else await work(workerData as Task); // Started below.

async function work({ part }: Task): Promise<void> {
  const load = parts[part];
  if (load !== undefined) (await load())();
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, workers: { type: 'string' } },
    allowPositionals: true,
  });
  const asked = Object.keys(parts).filter((name) => positionals.length === 0 || positionals.includes(name));
  const tasks = asked.map((part, n): Task => ({ part, seed: 1_000_000 * (n + 1), quick: values.quick }));
  const { toldLine } = await import('./lines.ts');
  const told = new Map<string, readonly Told[]>();
  let shown = 0;
  const showDone = () => {
    // In the order of the parts, whichever thread ends first.
    for (; shown < asked.length && told.has(asked[shown] ?? ''); shown++) {
      process.stdout.write(`\n${asked[shown]}\n`);
      for (const each of told.get(asked[shown] ?? '') ?? []) process.stdout.write(`${toldLine(each)}\n`);
    }
  };
  const queue = [...tasks];
  const threads = Number(values.workers ?? Math.max(1, availableParallelism() - 1));
  await Promise.all(
    Array.from({ length: threads }, async () => {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
        told.set(task.part, await run(task));
        showDone();
      }
    }),
  );
  const figures = [...told.values()].flat().flatMap((each) => (each.kind === 'figure' ? [each.figure] : []));
  const missed = figures.filter((figure) => !holds(figure));
  process.stdout.write(`\n${figures.length - missed.length} of ${figures.length} figures within their bounds\n`);
  process.exitCode = missed.length === 0 ? 0 : 1;
}

function run(task: Task): Promise<readonly Told[]> {
  return new Promise((resolve, reject) => {
    const all: Told[] = [];
    // A thread does not get the loader that this one was started with.
    const start = `import('tsx/esm/api').then(({ register }) => { register(); return import('${import.meta.url}'); })`;
    const worker = new Worker(start, { eval: true, workerData: task, execArgv: [] });
    worker.on('message', (each: Told) => all.push(each));
    worker.on('error', reject);
    worker.on('exit', () => resolve(all));
  });
}
