/** The pipeline of another repository, as its author writes it: with the doors of the packages and nothing from inside. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSpec } from '@headgate/rollout';
import { startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  definePipeline,
  deliverySteps,
  filesReporter,
  imageBuild,
  imageTest,
  openPlace,
  plan,
  publishStep,
  record,
  run,
  step,
  text,
} from './index.ts';
import { aBench, type Bench } from './pipeline.rig.ts';

const yaml = "app: shop\nservices:\n  web: { source: web, port: 80, probe: '/hello' }\n";
const web = `
  const { createServer } = await import('node:http');
  const { ADMIN_PORT, HOST, PORT } = process.env;
  createServer((_, answer) => answer.end()).listen(Number(ADMIN_PORT), HOST);
  const users = createServer((_, answer) => answer.end('hello')).listen(Number(PORT), HOST);
  process.on('SIGTERM', () => setTimeout(() => users.close(() => process.exit(0)), 500));`;

/** What the shop's people look at: POST tells it, GET shows it. */
async function aBoard() {
  const shown: string[] = [];
  const server = createServer(async (request, answer) => {
    if (request.method === 'POST') shown.push(String(await request.toArray()));
    answer.end(JSON.stringify(shown));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, shown, close: () => server.close() };
}

let cache: string;
let bench: Bench;
let registry: Awaited<ReturnType<typeof startRegistry>>;
let board: Awaited<ReturnType<typeof aBoard>>;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'headgate-shop-'));
  bench = await aBench({
    'web/package.json': '{ "name": "web", "type": "module" }',
    'web/src/main.ts': web,
    'words.txt': 'hi',
  });
  [registry, board] = [await startRegistry(), await aBoard()];
});
afterAll(async () => {
  board.close();
  await registry[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

/** words -> image -> imagetest -> publish -> announce. */
async function shop(signal: AbortSignal) {
  const parsed = parseSpec(yaml, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const address = `${new URL(registry.url).host}/shop`;
  const place = await openPlace(
    { spec: parsed.spec, root: bench.root, cache, registry: address, live: undefined },
    signal,
  );
  const words = step('words', {
    kind: 'pure',
    inputs: { files: ['words.txt'] },
    outputs: { values: record({ words: text }) },
    run: async ({ $ }) => ({ words: (await $`cat words.txt`).stdout }),
  });
  const image = imageBuild(place, 'web', [words]);
  const tested = imageTest(place, 'web', image);
  const publish = publishStep(place, [tested]);
  const announce = step('announce', {
    kind: 'effect',
    needs: [words, publish],
    observe: async ({ out, signal: within }) => {
      const shown = await (await fetch(board.url, { signal: within })).text();
      const told = `${out.words.words}: ${out.publish['web']}`;
      return shown.includes(told) ? { kind: 'done', values: undefined } : { kind: 'absent', diff: `announce ${told}` };
    },
    run: async ({ out, gate, signal: within }) => {
      const body = `${out.words.words}: ${out.publish['web']}`;
      const { ok } = await fetch(board.url, { method: 'POST', body, signal: within });
      gate({ name: 'board', outcome: ok ? 'passed' : 'failed', text: body });
    },
  });
  const steps = [words, image, tested, publish, announce];
  return { address, pipeline: definePipeline({ name: 'shop', code: [import.meta.url, ...deliverySteps], steps }) };
}

test("a pipeline with steps of its own and of Headgate's builds, tests, publishes and acts, each once", async () => {
  const signal = AbortSignal.timeout(280_000);
  const change = { commit: 'c'.repeat(40), branch: 'main', dirty: false, files: [], actor: 'kim@desk' };
  const options = { root: bench.root, change, env: process.env, signal };
  const { address, pipeline } = await shop(signal);

  const before = await plan(pipeline, options);
  const first = await run(pipeline, { ...options, reporters: [filesReporter(join(bench.root, 'out'))] });
  const again = await run((await shop(signal)).pipeline, options);
  const only = await run(pipeline, { ...options, only: 'announce' });

  expect(before.map(({ kind }) => kind)).toEqual(['would-run', 'would-run', 'blocked', 'blocked', 'blocked']);
  expect([first.exitCode, Object.values(first.steps).map(({ kind }) => kind)]).toEqual([0, Array(5).fill('done')]);
  expect(board.shown).toEqual([expect.stringMatching(new RegExp(`^hi: ${address}/web@sha256:\\w{64}$`))]);
  for (const { exitCode, steps } of [again, only]) {
    expect(exitCode).toBe(0);
    expect(Object.values(steps).filter((one) => one.kind === 'done' && one.acted)).toEqual([]);
  }
}, 300_000);
