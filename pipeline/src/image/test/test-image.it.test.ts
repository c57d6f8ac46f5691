import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pushImage } from '../../registry/client.ts';
import { fromMachine } from '../base.ts';
import { type ImageBuilder, openImageBuilder } from '../image.ts';
import type { ImageTestReport } from './report.ts';
import { type RecordedRequest, readRequests } from './requests.ts';
import { testImage } from './test-image.ts';

const repository = join(import.meta.dirname, '../../../..');
const signal = AbortSignal.timeout(120_000);
const common = { replicas: 1, probe: undefined };
const pulls = [
  'get.ratings',
  'post.ratings',
  'delete.ratings',
  'get.users',
  'post.users',
  'get.services',
  'post.services',
];
const services = {
  proxy: { ...common, port: 8080, env: { PATH_PREFIX: '/api' }, pulls: [] },
  rating: { ...common, port: undefined, env: {}, pulls },
};

describe('testImage()', () => {
  let folder: string;
  let builder: ImageBuilder;
  let registry: RunningServer;
  let requests: readonly RecordedRequest[];
  const live: Record<string, string> = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-test-image-'));
    builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(folder, 'base') }) });
    registry = await startRegistry();
    requests = await readRequests(join(repository, 'services/rating'));
    for (const service of ['proxy', 'rating']) {
      const { layout } = await builder.build(
        { workspace: repository, source: `services/${service}`, labels: {}, layout: join(folder, 'out', service) },
        signal,
      );
      const name = `${new URL(registry.url).host}/ratings/${service}`;
      live[service] = `${name}@${(await pushImage(layout, { repository: name, mountFrom: undefined }, signal)).digest}`;
    }
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  function run(service: string, layout: string, lives: typeof live | undefined): Promise<ImageTestReport> {
    const imageFolder = join(folder, 'images');
    return testImage(
      {
        app: 'ratings',
        services,
        service,
        layout,
        imageFolder,
        workFolder: join(folder, 'ground'),
        requests,
        live: lives,
        graceMs: 8_000,
      },
      signal,
    );
  }

  /** An image of a program of the test's own, in the place of the proxy. */
  async function anImageOf(name: string, main: string): Promise<string> {
    const source = `services/${name}`;
    await mkdir(join(folder, source, 'src'), { recursive: true });
    await writeFile(join(folder, source, 'src/main.ts'), main);
    return (await builder.build({ workspace: folder, source, labels: {}, layout: join(folder, 'out', name) }, signal))
      .layout;
  }

  test.each(['proxy', 'rating'])('passes the %s, with live on the other side', async (service) => {
    const report = await run(service, join(folder, 'out', service), live);

    expect(report.checks.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(report).toMatchObject({ service, ok: true });
    expect(report.checks).toHaveLength(11);
  });

  test('fails a proxy that does not hear SIGTERM, for that and for nothing else', async () => {
    const deaf = `
      const { on } = process;
      process.on = (name, listener) => (name === 'SIGTERM' ? process : on.call(process, name, listener));
      await import(${JSON.stringify(join(repository, 'services/proxy/src/main.ts'))});`;
    const layout = await anImageOf('deaf', deaf);

    const report = await testImage(
      {
        app: 'ratings',
        services,
        service: 'proxy',
        layout,
        imageFolder: join(folder, 'images'),
        workFolder: join(folder, 'ground'),
        requests,
        live: undefined,
        graceMs: 1_000,
      },
      signal,
    );

    expect(report.ok).toBe(false);
    expect(report.checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual([
      'drains on SIGTERM under load',
    ]);
    expect(report.checks.find(({ outcome }) => outcome === 'skipped')).toMatchObject({
      name: 'versions crossed',
      detail: 'no live version',
    });
  });

  test('fails an image that ends at its start with its last words, and looks no further', async () => {
    const layout = await anImageOf('ending', "process.stderr.write('no database');\nprocess.exitCode = 3;");

    const report = await run('proxy', layout, undefined);

    const [ready, ...others] = report.checks;
    expect(ready).toMatchObject({ outcome: 'failed', detail: 'it ended with 3: no database' });
    expect(new Set(others.map(({ outcome }) => outcome))).toEqual(new Set(['skipped']));
  });
});
