import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digest, parseSpec } from '@headgate/rollout';
import { startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { aBench, type Bench } from '../pipeline.rig.ts';
import { made, record, text } from '../plan/schema.ts';
import { resolveTag } from '../registry/client.ts';
import { type Step, step } from '../step.ts';
import { imageBuild, imageTest, publishedTag, publishStep } from './image-steps.ts';
import type { Place } from './place.ts';

const shop = `app: shop
services:
  web: { source: web, port: 80 }
`;

/** A service that imports a package of its own repository, and one that was installed. */
const files = {
  'headgate.yaml': shop,
  'README.md': 'a shop',
  'package-lock.json': '{}',
  'tsconfig.json': '{}',
  'web/README.md': 'its web',
  'web/src/main.ts':
    "import { words } from '@shop/words'; import { dep } from 'dep'; import './names'; console.log(words, dep);",
  'web/src/main.test.ts': '',
  'web/src/names/index.ts': 'export class Names { first = 1; }; console.log(new Names());',
  'words/package.json': '{ "name": "@shop/words", "exports": "./src/index.ts" }',
  'words/src/index.ts': "export const words = 'hello';",
  'words/src/unread.ts': '',
  'node_modules/dep/package.json': '{ "name": "dep", "main": "index.js" }',
  'node_modules/dep/index.js': 'exports.dep = 1;',
  'node_modules/dep/unread.js': '',
};

// The base of an image is 100 MB that are packed, and pushed.
jest.setTimeout(90_000);

describe('an image is made anew when the bundle is, and only then', () => {
  let cache: string;
  let bench: Bench;
  let image: Step;
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'headgate-base-'));
    bench = await aBench({ ...files, 'node_modules/@shop/.keep': '' });
    await symlink('../../words', join(bench.root, 'node_modules/@shop/words'));
    const parsed = parseSpec(shop, { file: 'headgate.yaml' });
    if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
    const { spec } = parsed;
    const { root } = bench;
    const place: Place = { spec, root, cache, builder: 'oci', baseKey: 'b', registry: undefined, live: undefined };
    image = imageBuild(place, 'web', []);
    expect((await bench.run([image])).exitCode).toBe(0);
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    await rm(cache, { recursive: true });
  });

  const planned = async () => (await bench.plan([image]))[0];
  const digestNow = async () =>
    JSON.parse(await readFile(join(bench.root, 'out/images/web/index.json'), 'utf8')).manifests[0].digest;

  test.each([
    ['README.md'],
    ['package-lock.json'],
    ['web/README.md'],
    ['web/src/main.test.ts'],
    ['words/src/unread.ts'],
    ['node_modules/dep/unread.js'],
  ])('a change of %s, which it does not read, is none', async (file) => {
    await bench.write({ [file]: '{ "changed": true }' });

    expect(await planned()).toMatchObject({ kind: 'cached' });
  });

  test.each([
    { file: 'web/src/main.ts', text: `${files['web/src/main.ts']}\nconsole.log(2);`, told: ['file web/src/main.ts'] },
    { file: 'words/src/index.ts', text: "export const words = 'bye';", told: ['file words/src/index.ts'] },
    { file: 'node_modules/dep/index.js', text: 'exports.dep = 2;', told: ['file node_modules/dep/index.js'] },
    // A nearer file of the name that is imported.
    {
      file: 'web/src/names.ts',
      text: 'export class Names { second = 2; }; console.log(new Names());',
      told: ['file web/src/names.ts', 'file web/src/names/index.ts'],
    },
    {
      file: 'tsconfig.json',
      text: '{ "compilerOptions": { "useDefineForClassFields": false } }',
      told: ['settings of bundle'],
    },
  ])('a change of $file, which shows in it, is a new image', async ({ file, text, told }) => {
    const before = await digestNow();
    await bench.write({ [file]: text });

    const plan = await planned();
    const { of } = await bench.run([image]);

    expect(plan).toEqual({ step: 'image:web', kind: 'would-run', changed: told });
    expect(of('step.start')[0]?.changed).toEqual(told);
    expect(await digestNow()).not.toBe(before);
    expect(await planned()).toMatchObject({ kind: 'cached' });
  });

  test('what does not compile would run, fails with the line, and is not kept', async () => {
    await bench.write({ 'words/src/index.ts': 'export const words = ;' });

    expect(await planned()).toMatchObject({ kind: 'would-run' });
    for (let times = 1; times <= 2; times++) {
      const { exitCode, of } = await bench.run([image]);
      expect(exitCode).toBe(1);
      expect(of('step.fail')[0]?.failure.message).toContain('words/src/index.ts:1:21');
    }
  });
});

/** A shop whose image is as if it had passed its test, and is published at `address`. */
async function publishing(address: string) {
  const cache = await mkdtemp(join(tmpdir(), 'headgate-base-'));
  const bench = await aBench({ ...files, 'web/src/main.ts': 'console.log(1);' });
  const parsed = parseSpec(shop, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const common = { spec: parsed.spec, root: bench.root, cache, live: undefined } as const;
  const place: Place = { ...common, builder: 'oci', baseKey: 'b', registry: `${address}/shop` };
  const image = imageBuild(place, 'web', []);
  const tested = step('imagetest:web', {
    kind: 'pure',
    needs: [image],
    outputs: { values: record({ digest: made(text, digest) }) },
    run: ({ out }) => out['image:web'] as never,
  }) as unknown as ReturnType<typeof imageTest>;
  const publish = publishStep(place, [tested]);
  return {
    root: bench.root,
    run: (options: Parameters<Bench['run']>[1] = {}) => bench.run([image, tested, publish], options),
    /** What the real test of the image would do beside these live versions. */
    planTest: async (live: Place['live'], release: Partial<Place['spec']['release']> = {}) => {
      const spec = { ...place.spec, release: { ...place.spec.release, ...release } };
      return (await bench.plan([image, imageTest({ ...place, spec, live }, 'web', image)]))[1];
    },
    [Symbol.asyncDispose]: async () => {
      await bench[Symbol.asyncDispose]();
      await rm(cache, { recursive: true });
    },
  };
}

test('what is published has a name in the registry, so that none clears it away', async () => {
  await using registry = await startRegistry();
  const address = new URL(registry.url).host;
  await using ground = await publishing(address);

  const { exitCode } = await ground.run();

  expect(exitCode).toBe(0);
  const { manifests } = JSON.parse(await readFile(join(ground.root, 'out/images/web/index.json'), 'utf8'));
  const of = manifests[0].digest;
  expect(await resolveTag(`${address}/shop/web`, publishedTag(of), AbortSignal.timeout(5_000))).toBe(of);
});

test('an image is not taken for tested because the registry has it: it is where it is live', async () => {
  await using registry = await startRegistry();
  const address = new URL(registry.url).host;
  await using ground = await publishing(address);
  await ground.run(); // Without its test, as anybody may push who has the rights.
  const { manifests } = JSON.parse(await readFile(join(ground.root, 'out/images/web/index.json'), 'utf8'));
  const name = `${address}/shop/web`;
  const own = `${name}@${manifests[0].digest}`;
  const untested = { step: 'imagetest:web', kind: 'would-act', diff: `test ${manifests[0].digest}` };

  expect(await ground.planTest(undefined)).toEqual(untested);
  expect(await ground.planTest({ web: `${name}@sha256:${'b'.repeat(64)}` })).toEqual(untested);
  expect(await ground.planTest({ web: own })).toEqual({ step: 'imagetest:web', kind: 'nothing-to-do' });
  // Nor has it met the tables of a migration because it is live.
  const migrate = { image: `host/migrate@sha256:${'c'.repeat(64)}`, command: ['up'] };
  expect(await ground.planTest({ web: own }, { migrate })).toEqual(untested);
});

test('a registry that is away for a moment makes publishing flaky, and fails none', async () => {
  const before = await startRegistry();
  await before[Symbol.asyncDispose]();
  const { host, port } = new URL(before.url);
  await using ground = await publishing(host);
  let registry: ReturnType<typeof startRegistry> | undefined;
  const backAtRetry = {
    on: ({ kind }: { readonly kind: string }) => {
      if (kind === 'step.retry') registry ??= startRegistry({ port: Number(port) });
    },
    close: () => {},
  };
  try {
    const { exitCode, of } = await ground.run({ reporters: [backAtRetry] });

    expect(exitCode).toBe(0);
    expect(of('step.retry')[0]).toMatchObject({ step: 'publish', failure: { class: 'REGISTRY_UNREACHABLE' } });
    expect(of('step.done').find((one) => one.step === 'publish')?.attempts).toBeGreaterThan(1);
  } finally {
    await (await registry)?.[Symbol.asyncDispose]();
  }
});
