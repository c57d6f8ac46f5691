import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { digestOf } from '../image/layout.ts';
import { aBench } from '../pipeline.rig.ts';
import { record, text } from '../plan/schema.ts';
import { putBlob } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { step } from '../step.ts';
import { openFolderCache } from './folder.ts';
import { layered } from './layered.ts';
import { openRegistryCache, type RegistryCacheOptions } from './registry.ts';

describe('a cache in a registry', () => {
  let registry: RunningServer;
  let host: string;
  beforeAll(async () => {
    registry = await startRegistry();
    host = new URL(registry.url).host;
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
  });

  const build = step('build:app', {
    kind: 'pure',
    inputs: { files: ['src'] },
    outputs: { files: ['out/a'], values: record({ digest: text }) },
    run: async ({ $ }) => {
      await $`mkdir -p out && cp src out/a && chmod 755 out/a && echo built`;
      return { digest: 'd1' };
    },
  });

  function cacheOf(name: string, options: Partial<RegistryCacheOptions> = {}) {
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const defaults = { repository: `${host}/${name}/ci-cache`, secret: 'shared secret', writes: true, warn };
    return { cache: openRegistryCache({ ...defaults, ...options }), warnings };
  }

  async function runOn(cache: ReturnType<typeof cacheOf>['cache'], source = 'one') {
    await using bench = await aBench({ src: source });
    const { exitCode, steps } = await bench.run([build], { cache });
    const file = await readFile(join(bench.root, 'out/a'), 'utf8');
    const log = await readFile(join(bench.root, 'out/logs/build.app.log'), 'utf8');
    return { exitCode, kind: steps['build:app']?.kind, file, log };
  }

  test('gives another machine the files, values and log of an equal step, and no changed one', async () => {
    expect((await runOn(cacheOf('shared').cache)).kind).toBe('done');

    const equal = await runOn(cacheOf('shared').cache);

    expect(equal).toMatchObject({ exitCode: 0, kind: 'cached', file: 'one', log: expect.stringContaining('built') });
    expect((await runOn(cacheOf('shared').cache, 'two')).kind).toBe('done');
  });

  test('an entry that somebody else has sealed is a miss and a warning', async () => {
    await runOn(cacheOf('foreign', { secret: 'of somebody else' }).cache);
    const { cache, warnings } = cacheOf('foreign', { writes: false });

    expect((await runOn(cache)).kind).toBe('done');

    expect(warnings.join()).toContain('its seal is not by our key');
  });

  test('an entry put under the name of another key does not count', async () => {
    await runOn(cacheOf('moved').cache, 'one');
    const name = `${registry.url}/v2/moved/ci-cache/manifests`;
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const planted = await (await fetch(`${name}/build.app-latest`, { headers: { accept: type } })).text();
    const { cache, warnings } = cacheOf('moved');
    await runOn(cache, 'two');
    const tags = (await (await fetch(`${registry.url}/v2/moved/ci-cache/tags/list`)).json()) as { tags: string[] };
    for (const tag of tags.tags) {
      await fetch(`${name}/${tag}`, { method: 'PUT', headers: { 'content-type': type }, body: planted });
    }

    const seen = await runOn(cache, 'two');

    expect(seen).toMatchObject({ kind: 'done', file: 'two' });
    expect(warnings.join()).toContain('is not used');
  });

  test('who may not write leaves nothing', async () => {
    await runOn(cacheOf('readers', { writes: false }).cache);

    expect((await runOn(cacheOf('readers').cache)).kind).toBe('done');
  });

  test('a content too large to be sent is taken from where images lie, and where it does not lie the step runs again', async () => {
    const large = step('build:large', {
      kind: 'pure',
      outputs: { files: ['out/base'] },
      run: async ({ $ }) => void (await $`mkdir -p out && head -c 5000000 /dev/zero > out/base && echo made`),
    });
    const content = Buffer.alloc(5_000_000);
    const blob = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length };
    const images = `${host}/large/rating`;
    const play = async () => {
      await using bench = await aBench({});
      const { steps } = await bench.run([large], { cache: cacheOf('large', { published: [images] }).cache });
      return [steps['build:large']?.kind, digestOf(await readFile(join(bench.root, 'out/base')))];
    };

    expect([await play(), await play()]).toEqual([
      ['done', blob.digest],
      ['done', blob.digest],
    ]);
    await putBlob(parseRepository(images), { blob, content, mountFrom: undefined }, AbortSignal.timeout(10_000));
    expect(await play()).toEqual(['cached', blob.digest]);
  });

  test('layered() takes from the registry what the folder has lost', async () => {
    await using bench = await aBench({ src: 'one' });
    const folder = join(bench.root, '..', `layered-${process.pid}`);
    await mkdir(folder, { recursive: true });
    try {
      const both = () => layered(openFolderCache(folder), cacheOf('layered').cache);
      expect((await runOn(both())).kind).toBe('done');
      expect((await runOn(both())).kind).toBe('cached');
      await rm(folder, { recursive: true });

      expect((await runOn(both())).kind).toBe('cached');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
