import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNats } from '@headgate/rollout/servers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pushImageOf } from './ansible.rig.ts';
import { aClusterShell, readCluster } from './cluster.rig.ts';

const specOf = (namespace: string): string => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080 }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik } }
infra:
  settings: { manifests: deploy/settings }
  database: { manifests: deploy/database }
frontend: { manifests: deploy/frontend }
`;

let shell: Awaited<ReturnType<typeof aClusterShell>>;
let image = '';

beforeAll(async () => {
  shell = await aClusterShell(specOf);
  process.env['HEADGATE_PLAIN_REGISTRIES'] = readCluster().registry;
  image = await pushImageOf(shell.cwd, { name: `${readCluster().registry}/roll/proxy`, words: 'hello' });
  await write('settings', { 'kustomization.yaml': 'configMapGenerator: [{ name: settings, literals: [a=1] }]' });
  await write('database', {
    'kustomization.yaml': 'resources: [server.yaml, job.yaml]\nconfigMapGenerator: [{ name: sql, files: [up.sql] }]\n',
    'server.yaml': deployment('database'),
    'up.sql': 'create table a',
    'job.yaml': aJob("console.log('ran', process.env.SQL)"),
  });
  await write('frontend', {
    'kustomization.yaml': 'resources: [web.yaml]',
    'web.yaml': deployment('web').replace(image, 'web'),
  });
}, 120_000);
afterAll(async () => {
  await shell[Symbol.asyncDispose]();
});

async function write(part: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(shell.cwd, 'deploy', part);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

const deployment = (name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  minReadySeconds: 2
  selector: { matchLabels: { name: ${name} } }
  template:
    metadata: { labels: { name: ${name} } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: main, image: "${image}", command: [/usr/local/bin/node, -e, "setInterval(() => {}, 1000)"] }]
`;

const aJob = (program: string): string => `apiVersion: batch/v1
kind: Job
metadata: { name: up }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: up
          image: "${image}"
          command: [/usr/local/bin/node, -e, ${JSON.stringify(program)}]
          env: [{ name: SQL, valueFrom: { configMapKeyRef: { name: sql, key: up.sql } } }]
`;

async function jobs(): Promise<readonly string[]> {
  return (await shell.kubectl(['get', 'jobs', '-o', 'name'])).split('\n').filter((line) => line !== '');
}

test('deploy infra --plan says what would be made, and makes nothing', async () => {
  const { code, out } = await shell.run('deploy', 'infra', '--plan');
  const json = await shell.run('deploy', 'infra', 'database', '--plan', '--json');

  expect(code).toBe(0);
  expect(out).toMatch(/^settings: would set ConfigMap settings-\w+\n/);
  expect(out).toMatch(/^database: would set .*Deployment database.*; would run Job up-[0-9a-f]{10}$/m);
  expect(out).toContain('+kind: Deployment');
  expect(JSON.parse(json.out)).toEqual({
    parts: [{ part: 'database', set: expect.arrayContaining(['Deployment database']), run: [expect.any(String)] }],
  });
  expect([await jobs(), (await shell.kubectl(['get', 'deployments', '-o', 'name'])).trim()]).toEqual([[], '']);
}, 60_000);

test('deploy infra waits for rollouts and Jobs, and a second time does nothing', async () => {
  const first = await shell.run('deploy', 'infra');
  const second = await shell.run('deploy', 'infra');

  expect([first.code, first.out]).toEqual([0, expect.stringMatching(/^database: set .*; ran Job up-\w+$/m)]);
  expect(first.err).toMatch(/^database: deployment "database" successfully rolled out$/m);
  expect(first.err).toMatch(/^database: Job up-\w+ is done$/m);
  expect(second).toMatchObject({ code: 0, out: 'settings: all is there\ndatabase: all is there\n' });
  expect(await jobs()).toHaveLength(1);
}, 90_000);

test('deploy infra runs a Job again when what it reads has changed', async () => {
  await write('database', { 'up.sql': 'create table b' });

  const { code, out } = await shell.run('deploy', 'infra', 'database');

  const [, name = ''] = /ran Job (\S+)/.exec(out) ?? [];
  expect([code, await jobs()]).toEqual([0, expect.arrayContaining([`job.batch/${name}`])]);
  expect(await shell.kubectl(['logs', `job/${name}`])).toBe('ran create table b\n');
}, 60_000);

test('deploy infra exits 1 with the last lines of a Job that fails, and tries it again when it is asked again', async () => {
  await write('database', { 'job.yaml': aJob("console.error('no such table'); process.exit(3)") });

  const { code, err } = await shell.run('deploy', 'infra', 'database');
  const again = await shell.run('deploy', 'infra', 'database');

  expect(code).toBe(1);
  expect(err).toMatch(/Cannot deploy database as Job up-\w+ has failed\n[\s\S]*no such table\n/);
  expect([again.code, again.err.match(/Job up-\w+ runs/g)]).toEqual([1, [expect.any(String)]]);
}, 90_000);

test('deploy infra exits 1 and says how its pods are when a rollout does not come up in time', async () => {
  const broken = deployment('database').replace('setInterval(() => {}, 1000)', "throw new Error('no disk')");
  await write('database', { 'server.yaml': broken });

  const { code, err } = await shell.run('deploy', 'infra', 'database', '--timeout', '6s');

  expect(code).toBe(1);
  expect(err).toMatch(/Cannot deploy database as Deployment database does not come up\n[\s\S]*Error: no disk/);
}, 60_000);

test('deploy frontend puts the image into its Deployment, and takes none without a digest', async () => {
  const tagged = await shell.run('deploy', 'frontend', '--image', 'host/web:latest');
  const { code, out } = await shell.run('deploy', 'frontend', '--image', image);

  expect(tagged).toMatchObject({ code: 12, err: expect.stringContaining('must be pinned by digest') });
  expect([code, out]).toEqual([0, 'frontend: set Deployment web\n']);
  const now = ['get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'];
  expect(await shell.kubectl(now)).toBe(image);
}, 60_000);

test('deploy queue makes streams and consumers without being asked for a gateway, and then has nothing to do', async () => {
  await using nats = await startNats();
  await using queued = await aClusterShell((namespace) =>
    specOf(namespace)
      .replace('kubernetes:', `  rating: { source: services/rating, pulls: [get.ratings] }\nkubernetes:`)
      .concat(`queue: { jetstream: '${nats.url}' }\n`),
  );

  const plan = await queued.run('deploy', 'queue', '--plan');
  const made = await queued.run('deploy', 'queue');
  const again = await queued.run('deploy', 'queue');

  expect(plan).toMatchObject({ code: 0, out: expect.stringContaining('not yet made stream ratings-blue\n') });
  expect(made.out).toBe(plan.out.replaceAll('not yet ', ''));
  expect(again).toMatchObject({ code: 0, out: 'all is there\n' });
}, 60_000);

test('deploy gateway makes the lanes as bootstrap does; deploy infra of another name exits 64', async () => {
  const entrance = ['--gateway', 'gateway/main', '--host', `${shell.namespace}.test`];
  const plan = await shell.run('deploy', 'gateway', ...entrance, '--plan');

  const made = await shell.run('deploy', 'gateway', ...entrance);
  const unknown = await shell.run('deploy', 'infra', 'broker');

  expect(plan).toMatchObject({ code: 0, out: expect.stringContaining('not yet made Deployment ratings-blue-proxy') });
  expect(made.out.replaceAll(/^/gm, 'not yet ')).toContain(plan.out.split('\n')[0] ?? '');
  expect(await shell.run('bootstrap', ...entrance)).toMatchObject({ code: 0, out: 'all is there\n' });
  expect(unknown).toMatchObject({ code: 64, err: expect.stringContaining('it has these: settings, database') });
}, 60_000);
