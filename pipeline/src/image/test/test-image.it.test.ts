import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { pushImage } from '../../registry/client.ts';
import { fromMachine } from '../base.ts';
import { type ImageBuilder, openImageBuilder } from '../image.ts';
import { findCrossed } from './crossed.ts';
import { openGround } from './ground.ts';
import { startInstance, untilReady } from './instance.ts';
import { lackOfMigration } from './migrate.ts';
import { type RecordedRequest, readRequests } from './requests.ts';
import { type ImageTestRequest, testImage } from './test-image.ts';

const repository = join(import.meta.dirname, '../../../..');
// Images are built and whole versions started: what takes 12 s on an idle machine.
const testMaxMs = 120_000;
jest.setTimeout(testMaxMs);
const signal = () => AbortSignal.timeout(testMaxMs);
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
        signal(),
      );
      const name = `${new URL(registry.url).host}/ratings/${service}`;
      live[service] =
        `${name}@${(await pushImage(layout, { repository: name, mountFrom: undefined }, signal())).digest}`;
    }
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  function requestFor(service: string, layout: string): ImageTestRequest {
    return {
      app: 'ratings',
      services,
      migrate: undefined,
      service,
      layout,
      imageFolder: join(folder, 'images'),
      workFolder: join(folder, 'ground'),
      requests,
      live: undefined,
      adopt: 'bind',
      graceMs: 8_000,
    };
  }

  /** An image of a program of the test's own, in the place of the proxy. */
  async function anImageOf(name: string, main: string): Promise<string> {
    const source = `services/${name}`;
    await mkdir(join(folder, source, 'src'), { recursive: true });
    await writeFile(join(folder, source, 'src/main.ts'), main);
    return (await builder.build({ workspace: folder, source, labels: {}, layout: join(folder, 'out', name) }, signal()))
      .layout;
  }

  const pg = `
    const { default: pg } = await import(${JSON.stringify(join(repository, 'node_modules/pg/esm/index.mjs'))});
    const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
    await client.connect();`;

  /** A migration that is one statement. */
  async function aMigration(statement: string): Promise<ImageTestRequest['migrate']> {
    const layout = await anImageOf(
      'migration',
      `${pg}
      await client.query(process.argv[2] ?? '').catch(({ message }) => {
        process.stderr.write(message);
        process.exitCode = 1;
      });
      await client.end();`,
    );
    const name = `${new URL(registry.url).host}/ratings/migration`;
    const { digest } = await pushImage(layout, { repository: name, mountFrom: undefined }, signal());
    return { image: `${name}@${digest}`, command: ['/usr/local/bin/node', '/app/main.mjs', statement] };
  }

  test.each(['proxy', 'rating'])('passes the %s, with live on the other side', async (service) => {
    const report = await testImage({ ...requestFor(service, join(folder, 'out', service)), live }, signal());

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

    const report = await testImage({ ...requestFor('proxy', layout), graceMs: 1_000 }, signal());

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

    const report = await testImage(requestFor('proxy', layout), signal());

    const [ready, ...others] = report.checks;
    expect(ready).toMatchObject({ outcome: 'failed', detail: 'it ended with 3: no database' });
    expect(new Set(others.map(({ outcome }) => outcome))).toEqual(new Set(['skipped']));
  });

  test('runs the migration before it starts a version that needs its tables', async () => {
    const needing = `${pg} await client.query('select name from regions'); await client.end();
      await import(${JSON.stringify(join(repository, 'services/rating/src/main.ts'))});`;
    const request = { ...requestFor('rating', await anImageOf('needing', needing)), live };

    const without = await testImage(request, signal());
    const report = await testImage(
      { ...request, migrate: await aMigration('create table regions (name text)') },
      signal(),
    );

    expect(without.checks[0]).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(/^it ended with 1: /) });
    expect(report.checks.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(report.checks.slice(0, 2).map(({ name }) => name)).toEqual(['migrates', 'ready within 10 s']);
    expect(report.checks.map(({ name }) => name)).toContain('versions crossed');
  });

  test('fails a migration with its last words, before anything is started', async () => {
    const migrate = await aMigration('select name from nowhere');

    const report = await testImage({ ...requestFor('rating', join(folder, 'out/rating')), migrate }, signal());

    expect(report).toMatchObject({ ok: false, checks: [{ name: 'migrates', outcome: 'failed' }] });
    expect(report.checks[0]?.detail).toMatch(/^it ended with 1: .*relation "nowhere" does not exist/s);
  });

  test('refuses a migration that takes from the live worker what it needs', async () => {
    const layout = join(folder, 'out/proxy');
    // Of a table that live makes by itself, when it starts.
    const alter = 'alter table ratings add column region text';
    const crossed = async (statement: string) => {
      const request = { ...requestFor('proxy', layout), live, migrate: await aMigration(statement) };
      await using ground = await openGround(request, request, signal());
      const image = await ground.unpack(layout, signal());
      expect(await lackOfMigration(ground, request, signal())).toBeUndefined();
      await using instance = await startInstance(ground, { service: 'proxy', lane: 'blue', image });
      await untilReady(instance, signal());
      return await findCrossed({ request, ground, image, instance }, signal()); // Before anything of it ends.
    };

    const [adding, demanding] = [await crossed(alter), await crossed(`${alter} not null`)];

    expect(adding).toMatchObject({ outcome: 'passed' });
    expect(demanding).toEqual({
      outcome: 'failed',
      detail: expect.stringMatching(
        /^post\.ratings with live's rating got \d+, not 201.*after a rollback they meet so/,
      ),
    });
  }, 60_000); // Two images are tested, each as long as any other here.

  test('refuses a proxy that does not get on with the live worker, unless a rollback hands on nothing', async () => {
    const layout = await anImageOf(
      'estranged',
      `const { createServer } = await import('node:http');
       const { ADMIN_PORT, HOST, PORT } = process.env;
       createServer((_, response) => response.end()).listen(Number(ADMIN_PORT), HOST);
       createServer((_, response) => response.writeHead(500).end()).listen(Number(PORT), HOST);`,
    );
    const request = { ...requestFor('proxy', layout), live };
    await using ground = await openGround(request, request, signal());
    const image = await ground.unpack(layout, signal());
    await using instance = await startInstance(ground, { service: 'proxy', lane: 'blue', image });

    const [bind, answer] = [
      await findCrossed({ request, ground, image, instance }, signal()),
      await findCrossed({ request: { ...request, adopt: 'answer' }, ground, image, instance }, signal()),
    ];

    expect(bind).toEqual({
      outcome: 'failed',
      detail: expect.stringMatching(
        /get\.ratings with live's rating got 500, not 200.*unless queue\.adopt is "answer"$/,
      ),
    });
    expect(answer).toEqual({
      outcome: 'passed',
      detail: expect.stringMatching(/got 500, not 200.*a rollback answers what is left with 503/),
    });
  });
});
