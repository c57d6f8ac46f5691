import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromMachine } from '../image/base.ts';
import { openImageBuilder } from '../image/image.ts';
import { pushImage } from '../registry/client.ts';
import { aClusterShell, kubectlEnv, readCluster, repository } from './cluster.rig.ts';

const app = (namespace: string): string => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, replicas: 2, probe: /probe, manifests: services/proxy/deploy/overlays/staging }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
  driver: cli
`;

/** Answers everything, and finishes what it has begun. */
const program = `import { createServer } from 'node:http';
const { PORT, ADMIN_PORT, HOST, HEADGATE_LANE = '', HEADGATE_REVISION = '' } = process.env;
createServer((_, answer) => answer.end('fine')).listen(Number(ADMIN_PORT), HOST);
const users = createServer((_, answer) => answer.writeHead(200, { 'headgate-lane': HEADGATE_LANE, 'headgate-revision': HEADGATE_REVISION }).end('hello'));
users.listen(Number(PORT), HOST);
process.on('SIGTERM', () => users.close(() => process.exit(0)));
`;

const nobodyHas = `sha256:${'0'.repeat(64)}`;
const deployment = 'deployment/ratings-blue-proxy';

let shell: Awaited<ReturnType<typeof aClusterShell>>;
let env: NodeJS.ProcessEnv;
let tools: string;
let image: { readonly first: string; readonly second: string; readonly missing: string };

beforeAll(async () => {
  const { kubeconfig, registry } = readCluster();
  const made = await promisify(execFile)(join(repository, 'ansible/setup.sh'), { timeout: 300_000 });
  tools = made.stdout.trim();
  env = {
    ...kubectlEnv,
    PATH: `${tools}:${kubectlEnv.PATH}`,
    HEADGATE_KUBECONFIG: kubeconfig,
    HEADGATE_POD_NETWORK: '1',
  };
  process.env['HEADGATE_PLAIN_REGISTRIES'] = registry;
  shell = await aClusterShell(app);
  const name = `${registry}/roll/proxy`;
  image = { first: await push(name, '1'), second: await push(name, '2'), missing: `${name}@${nobodyHas}` };
  const host = ['--host', `${shell.namespace}.test`];
  expect(await headgate('bootstrap', '--gateway', 'gateway/main', ...host)).toMatchObject({ code: 0 });
  expect(await headgate('release', `proxy=${image.first}`, '--reason', 'the first')).toMatchObject({ code: 0 });
}, 400_000);
afterAll(async () => {
  await shell?.[Symbol.asyncDispose]();
});

describe('headgate roll', () => {
  test('--check says what would be changed, and changes nothing', async () => {
    const before = await state();

    const { code, out } = await headgate('roll', `proxy=${image.second}`, '--reason', 'a fix', '--check');

    expect([code, recap(out)]).toEqual([0, expect.objectContaining({ changed: 1, failed: 0 })]);
    expect(out).toContain(`-                    image: ${image.first}`);
    expect(out).toContain(`+                    image: ${image.second}`);
    expect(await state()).toEqual(before);
  }, 60_000);

  test('replaces instance by instance what live holds: every request is answered, and the autoscaler stays as it is', async () => {
    const base = join(shell.cwd, 'services/proxy/deploy/base/kustomization.yaml');
    await writeFile(base, (await readFile(base, 'utf8')).replace('=5000', '=4000'));
    const before = await state();
    await using users = await startUsers();

    const { code, out, err } = await headgate('roll', `proxy=${image.second}`, '--reason', 'a fix');

    const after = await state();
    expect([code, err.replace(/^signatures.*\n/, ''), recap(out)]).toEqual([
      0,
      '',
      expect.objectContaining({ changed: 2, failed: 0 }), // A ConfigMap and a Deployment.
    ]);
    expect(after.image).toBe(image.second);
    expect(after.pods).not.toEqual(before.pods);
    expect([after.replicas, after.bounds]).toEqual([before.replicas, before.bounds]);
    expect(after.configMaps).toHaveLength(1);
    expect(after.configMaps).not.toEqual(before.configMaps);
    expect([users.failed, users.answered > 50]).toEqual([[], true]);
    expect((await headgate('history')).out).toMatch(/2 .* promoted .* by .*: every instance of the live lane has it/);
  }, 120_000);

  test('a second time changes nothing', async () => {
    const before = await state();

    const { code, out } = await headgate('roll', `proxy=${image.second}`, '--reason', 'a fix');

    expect([code, recap(out)]).toEqual([0, expect.objectContaining({ changed: 0, failed: 0 })]);
    const { journal, ...same } = await state();
    expect({ ...same, journal: before.journal }).toEqual(before); // Its number of the driver has risen.
    expect(journal).not.toBe(before.journal);
  }, 60_000);

  test('brings live back from an image that nobody has, tells why, and ends red', async () => {
    const before = await state();
    await using users = await startUsers();

    const { code, out } = await headgate('roll', `proxy=${image.missing}`, '--reason', 'a bad one');

    const after = await state();
    expect([code, recap(out)]).toEqual([11, expect.objectContaining({ failed: 1, rescued: 1 })]);
    expect(out).toContain('Lane blue is as it was before');
    expect([after.template, after.pods, after.configMaps]).toEqual([before.template, before.pods, before.configMaps]);
    expect(users.failed).toEqual([]);
    expect(await readFile(join(shell.cwd, 'out/roll/report.txt'), 'utf8')).toContain('Failed to pull image');
    expect(await headgate('roll', `proxy=${image.missing}`, '--reason', 'again')).toMatchObject({ code: 11 });
  }, 120_000);

  test('killed in the midst of it, `rollback` brings live back', async () => {
    const before = await state();
    const running = start('roll', `proxy=${image.missing}`, '--reason', 'killed', '--insist');
    await until(async () => (await state()).image === image.missing);
    running.child.kill('SIGKILL');
    await running.ended;

    const release = await headgate('release', `proxy=${image.first}`, '--reason', 'meanwhile');
    const back = await headgate('rollback', '--reason', 'its driver is gone');

    expect(release).toMatchObject({ code: 12, err: expect.stringContaining('`headgate rollback` goes back') });
    expect(back).toMatchObject({ code: 0, out: expect.stringContaining('was rolled back') });
    expect((await state()).template).toEqual(before.template);
  }, 120_000);

  test('its playbook does nothing without the lock', async () => {
    const before = await state();
    const place = { cwd: join(repository, 'ansible'), env: { ...env, LC_ALL: 'C.UTF-8' } };

    const { code, out } = await ended(spawn(join(tools, 'ansible-playbook'), ['deploy.yml'], place));

    expect(code).toBe(2);
    expect(out).toContain('This playbook is run by `headgate roll`');
    expect(await state()).toEqual(before);
  }, 60_000);
});

type Ran = { readonly code: number; readonly out: string; readonly err: string };

function start(...args: string[]) {
  const bin = join(repository, 'pipeline/dist/cli/bin.js');
  const child = spawn(process.execPath, [bin, ...args], { cwd: shell.cwd, env });
  return { child, ended: ended(child) };
}

function headgate(...args: string[]): Promise<Ran> {
  return start(...args).ended;
}

async function ended(child: ReturnType<typeof spawn>): Promise<Ran> {
  const [out, err] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  return { code: child.exitCode ?? 128, out, err };
}

/** The last line of a play, as numbers. */
function recap(out: string): Readonly<Record<string, number>> {
  const counts = out.split('PLAY RECAP')[1] ?? '';
  return Object.fromEntries([...counts.matchAll(/(\w+)=(\d+)/g)].map(([, name = '', n]) => [name, Number(n)]));
}

/** All of it that a rolling update may change, or must not. */
async function state() {
  const get = async (...what: string[]) => JSON.parse(await shell.kubectl(['get', ...what, '-o', 'json']));
  const [{ metadata, spec }, pods, maps, head, scaler] = await Promise.all([
    get(deployment),
    get('pods', '-l', 'headgate.dev/lane=blue'),
    get('configmaps', '-l', 'headgate.dev/lane=blue'),
    get('configmap', 'headgate-ratings'),
    get('hpa', 'ratings-blue-proxy'),
  ]);
  return {
    generation: metadata.generation as number,
    template: spec.template as unknown,
    image: spec.template.spec.containers[0].image as string,
    replicas: spec.replicas as number,
    bounds: [scaler.spec.minReplicas, scaler.spec.maxReplicas] as const,
    pods: pods.items.map((pod: { metadata: { uid: string } }) => pod.metadata.uid).sort() as string[],
    configMaps: maps.items.map((map: { metadata: { name: string } }) => map.metadata.name) as string[],
    journal: head.metadata.resourceVersion as string,
  };
}

async function push(name: string, version: string): Promise<string> {
  const workspace = join(shell.cwd, 'sources');
  await mkdir(join(workspace, 'proxy/src'), { recursive: true });
  await writeFile(join(workspace, 'proxy/package.json'), '{ "name": "proxy", "type": "module" }');
  await writeFile(join(workspace, 'proxy/src/main.ts'), program);
  const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(shell.cwd, 'base') }) });
  const layout = join(shell.cwd, `image-${version}`);
  const signal = AbortSignal.timeout(120_000);
  await builder.build({ workspace, source: 'proxy', labels: { version }, layout }, signal);
  const pushed = await pushImage(layout, { repository: name, mountFrom: undefined }, signal);
  return `${name}@${pushed.digest}`;
}

/** Somebody who asks through the router, twenty times a second. */
async function startUsers() {
  const [door = ''] = readCluster().gateways;
  const over = new AbortController();
  const users = { answered: 0, failed: [] as string[] };
  const asking = (async () => {
    while (!over.signal.aborted) {
      await ask(door).then(
        (status) => (status === 200 ? users.answered++ : users.failed.push(String(status))),
        (error: unknown) => users.failed.push(String(error)),
      );
      await sleep(50);
    }
  })();
  return Object.assign(users, {
    async [Symbol.asyncDispose]() {
      over.abort();
      await asking;
    },
  });
}

async function ask(door: string): Promise<number> {
  const sent = request(`${door}/`, {
    headers: { host: `${shell.namespace}.test` },
    agent: false,
    timeout: 5_000,
  }).end();
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const signal = AbortSignal.timeout(60_000); !(await holds()); ) await sleep(100, undefined, { signal });
}
