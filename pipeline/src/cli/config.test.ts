import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const good = `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, env: { PATH_PREFIX: /api }, manifests: services/proxy/deploy/prod }
  rating: { source: services/rating, pulls: [get.ratings, post.ratings], manifests: services/rating/deploy }
queue: { jetstream: nats://nats:4222 }
release: { steps: [5%, 25%, 50%], bake: 3m }
environments:
  staging:
    services: { proxy: { manifests: services/proxy/deploy/staging } }
    release: { strategy: blue-green, steps: [], watch: 30s, keepWarm: 60s, bake: 30s }
`;
const local = `release: { bake: 10s }
services:
  proxy:
    env:
      GREETING: it's "here" $HOME
      DATABASE_PASSWORD: correct-horse
      STORE_URL: postgres://kim:staple@db/app
`;
const files = { 'headgate.yaml': good, 'headgate.local.yaml': local };

describe('config show', () => {
  test('names the source of every value', async () => {
    await using shell = await aShell(files);

    const { code, out, err } = await shell.run('config', 'show', '-e', 'staging');

    expect(code).toBe(0);
    const lines = out.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  '));
    expect(lines).toEqual(
      expect.arrayContaining([
        'app  ratings  headgate.yaml:1',
        'services.proxy.port  8080  headgate.yaml:3',
        'services.proxy.manifests  services/proxy/deploy/staging  headgate.yaml:9 environments.staging',
        'services.rating.pulls  [get.ratings, post.ratings]  headgate.yaml:4',
        'services.rating.replicas  1  default',
        'release.strategy  blue-green  headgate.yaml:10 environments.staging',
        'release.steps  []  headgate.yaml:10 environments.staging',
        'release.bake  10s  headgate.local.yaml:1',
        'release.keepWarm  60s  headgate.yaml:10 environments.staging',
        'release.deadline  2h  default',
        'perf.p99  400ms  default',
        'perf.perSecond  1000  default',
        'perf.tolerance  10%  default',
      ]),
    );
    expect(err).toBe('headgate.local.yaml is merged over headgate.yaml, on this machine alone\n');
  });

  test('--json has the app as Headgate reads it, with every default, and the values', async () => {
    await using shell = await aShell({ 'headgate.yaml': good });

    const { out, err } = await shell.run('config', 'show', '--json');

    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({
      spec: { app: 'ratings', release: { steps: [5, 25, 50], watchMs: 600_000, keepWarmMs: 1_800_000 } },
      values: expect.arrayContaining([
        { path: 'release.bake', value: '3m', from: { file: 'headgate.yaml', line: 6 } },
        { path: 'release.watch', value: '10m' },
      ]),
    });
  });

  test('shows no secret of a service, neither way', async () => {
    await using shell = await aShell(files);

    const { out } = await shell.run('config', 'show');
    const json = await shell.run('config', 'show', '--json');

    expect(out).toContain('services.proxy.env.DATABASE_PASSWORD  ');
    expect(out + json.out).not.toMatch(/horse|staple/);
  });

  test('names the file of a mistake in headgate.local.yaml', async () => {
    await using shell = await aShell({ ...files, 'headgate.local.yaml': `# mine\nrelease: { bake: often }\n` });

    const { code, err } = await shell.run('config', 'show');

    expect(code).toBe(64);
    expect(err).toContain('headgate.local.yaml:2:18  release.bake ');
    expect(err).toContain('  2 | release: { bake: often }\n');
  });
});

describe('env', () => {
  test('prints lines that a shell reads as they were written, and hides secrets', async () => {
    await using shell = await aShell(files);

    const { code, out } = await shell.run('env', 'proxy');
    const read = await promisify(execFile)('sh', ['-c', `${out}printf '%s' "$GREETING$PATH_PREFIX"`]);

    expect(code).toBe(0);
    expect(out).toMatch(/^PATH_PREFIX=\/api$/m);
    expect(out).toContain('# DATABASE_PASSWORD is hidden: --reveal\n# STORE_URL is hidden: --reveal\n');
    expect(out).not.toMatch(/horse|staple/);
    expect(read.stdout).toBe(`it's "here" $HOME/api`);
  });

  test('--reveal prints secrets; --json has null for what is hidden', async () => {
    await using shell = await aShell(files);

    const { out } = await shell.run('env', '--reveal');
    const json = await shell.run('env', 'proxy', '--json');

    expect(out).toContain('DATABASE_PASSWORD=correct-horse\nSTORE_URL=postgres://kim:staple@db/app\n');
    expect(JSON.parse(json.out)).toMatchObject({ PATH_PREFIX: '/api', DATABASE_PASSWORD: null, STORE_URL: null });
  });

  test('has the queue of an app on Kubernetes', async () => {
    const kubernetes =
      'kubernetes: { namespace: ratings, traffic: { gateway-api: { route: r }, replicas: { service: s } } }';
    await using shell = await aShell({ 'headgate.yaml': good, 'headgate.local.yaml': kubernetes });

    const { out } = await shell.run('env', 'rating');

    expect(out).toBe('NATS_URL=nats://nats:4222\n');
  });

  test.each([
    { args: ['ratings'], says: 'there is no service "ratings"\n  name one of these: proxy, rating' },
    { args: [], says: 'as LEVEL differs between them\n  name one of these: proxy, rating' },
  ])('env $args exits 64 and names the services', async ({ args, says }) => {
    const differ = 'services: { proxy: { env: { LEVEL: a } }, rating: { env: { LEVEL: b } } }';
    await using shell = await aShell({ 'headgate.yaml': good, 'headgate.local.yaml': differ });

    const { code, err } = await shell.run('env', ...args);

    expect(code).toBe(64);
    expect(err).toContain(says);
  });
});
