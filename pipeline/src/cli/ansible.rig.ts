/** An app that is live on the test cluster, the command line as people use it, Ansible, and users who ask through the router. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Head } from '@headgate/rollout';
import { fromMachine } from '../image/base.ts';
import { openImageBuilder } from '../image/image.ts';
import { pushImage } from '../registry/client.ts';
import { driverRoles, variablesOf } from './account.rig.ts';
import { aClusterShell, kubectlEnv, readCluster, repository } from './cluster.rig.ts';

const source = 'services/proxy';
const specOf = (namespace: string): string => `app: ratings
services:
  proxy:
    source: ${source}
    port: 8080
    replicas: 2
    probe: /probe
    env: { DB_PASSWORD: 'correct horse & battery' }
    manifests: services/proxy/deploy/overlays/staging
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
  driver: cli
release: { steps: [5%], bake: 10m, deadline: 1h, watch: 10s, keepWarm: 60s }
`;

/** Answers everything, and finishes what it has begun. Its log says what no report may. */
const program = `import { createServer } from 'node:http';
const { PORT, ADMIN_PORT, HOST, HEADGATE_LANE = '', HEADGATE_REVISION = '' } = process.env;
createServer((_, answer) => answer.end('fine')).listen(Number(ADMIN_PORT), HOST);
const users = createServer((_, answer) => answer.writeHead(200, { 'headgate-lane': HEADGATE_LANE, 'headgate-revision': HEADGATE_REVISION }).end('hello'));
users.listen(Number(PORT), HOST);
console.log('the password is', process.env.DB_PASSWORD);
process.on('SIGTERM', () => setTimeout(() => users.close(() => process.exit(0)), 500));
`;

const nobodyHas = `sha256:${'0'.repeat(64)}`;

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** A namespace with an app described by `describe`, in whose folder commands and playbooks run. Nothing is made in it yet. */
export async function anAnsibleShell(describe: (namespace: string) => string) {
  const { kubeconfig, registry } = readCluster();
  const made = await promisify(execFile)(join(repository, 'ansible/setup.sh'), { timeout: 300_000 });
  const tools = made.stdout.trim();
  const env = {
    ...kubectlEnv, // Without Ansible on the PATH: whoever rolls finds it by itself.
    ...rightsOf(kubeconfig),
    HEADGATE_POD_NETWORK: '1',
    HEADGATE_REGISTRY: `${registry}/roll`,
    HEADGATE_PLAIN_REGISTRIES: registry,
    LC_ALL: 'C.UTF-8',
  };
  const shell = await aClusterShell(describe);
  const bin = join(repository, 'pipeline/dist/cli/bin.js');
  const start = (...args: string[]) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: shell.cwd, env });
    return { child, ended: endOf(child) };
  };
  return {
    ...shell,
    entrance: ['--gateway', 'gateway/main', '--host', `${shell.namespace}.test`],
    start,
    headgate: (...args: string[]) => start(...args).ended,
    /** From here on commands and playbooks have a driver's rights, and no others. */
    async becomeDriver() {
      const roles = driverRoles('ratings', [shell.namespace]);
      const { HEADGATE_KUBECONFIG: own = '' } = await variablesOf(shell, 'driver', { folder: shell.cwd, roles });
      Object.assign(env, rightsOf(own));
    },
    /** `ansible-playbook <playbook> <args>` with these variables. */
    async play(playbook: string, variables: object, ...args: string[]): Promise<Ran & { readonly recap: Recap }> {
      const own = { headgate_command: ['node', bin], headgate_options: ['--file', join(shell.cwd, 'headgate.yaml')] };
      const given = ['--extra-vars', JSON.stringify({ ...own, ...variables })];
      const place = { cwd: join(repository, 'ansible'), env };
      const ran = await endOf(spawn(join(tools, 'ansible-playbook'), [playbook, ...given, ...args], place));
      return { ...ran, recap: recapOf(ran.out) };
    },
    /** What Ansible makes of a template of the role in this folder. */
    async render(role: string, template: string, variables: object): Promise<string> {
      const made = join(shell.cwd, 'rendered');
      const task = [
        '--module-name',
        'ansible.builtin.template',
        '--args',
        `src=templates/${template} dest=${made} mode=0600`,
      ];
      const own = { ansible_python_interpreter: '{{ ansible_playbook_python }}' };
      const given = ['--extra-vars', '@defaults/main.yml', '--extra-vars', JSON.stringify({ ...own, ...variables })];
      const where = ['--inventory', 'here,', '--connection', 'local', 'all'];
      await promisify(execFile)(join(tools, 'ansible'), [...where, ...task, ...given], { cwd: role, env });
      return readFile(made, 'utf8');
    },
  };
}

function rightsOf(kubeconfig: string) {
  return { HEADGATE_KUBECONFIG: kubeconfig, K8S_AUTH_KUBECONFIG: kubeconfig };
}

/** The first image is live in lane blue by release 1, and nobody is an administrator any more. */
export async function aLiveApp() {
  const shell = await anAnsibleShell(specOf);
  const { registry } = readCluster();
  process.env['HEADGATE_PLAIN_REGISTRIES'] = registry;
  const name = `${registry}/roll/proxy`;
  const publish = (words: string) => pushImageOf(shell.cwd, { name, words });
  const [first, second] = [await publish('hello'), await publish('good day')];
  const succeeds = async (...args: string[]) => {
    const { code, out, err } = await shell.headgate(...args);
    if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${out}${err}`);
  };
  await succeeds('bootstrap', ...shell.entrance);
  await shell.becomeDriver();
  await succeeds('release', `proxy=${first}`, '--reason', 'the first');
  return {
    ...shell,
    image: { first, second, missing: `${name}@${nobodyHas}`, unreachable: `127.0.0.1:1/roll/proxy@${nobodyHas}` },
    /** The sources answer with these words from now on; the registry has the image, as after its test. */
    publish,
    state: () => stateOf(shell.kubectl),
    async head(): Promise<Head> {
      return JSON.parse((await shell.headgate('status', '--json')).out).head;
    },
    startUsers: () => startUsers(`${shell.namespace}.test`),
  };
}

async function endOf(child: ReturnType<typeof spawn>): Promise<Ran> {
  const [out, err] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  return { code: child.exitCode ?? 128, out, err };
}

type Recap = Readonly<Record<string, number>>;

/** The last line of a play, as numbers. */
export function recapOf(out: string): Recap {
  const counts = out.split('PLAY RECAP')[1] ?? '';
  return Object.fromEntries([...counts.matchAll(/(\w+)=(\d+)/g)].map(([, name = '', n]) => [name, Number(n)]));
}

type Pod = { readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string } };

/** All of it that a rolling update may change, or must not. */
async function stateOf(kubectl: (args: readonly string[]) => Promise<string>) {
  const get = async (...what: string[]) => JSON.parse(await kubectl(['get', ...what, '-o', 'json']));
  const [{ metadata, spec }, pods, maps, head, scaler] = await Promise.all([
    get('deployment/ratings-blue-proxy'),
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
    // Those that stay: one that was replaced finishes what it has in flight.
    pods: (pods.items as readonly Pod[])
      .filter(({ metadata: { deletionTimestamp } }) => deletionTimestamp === undefined)
      .map(({ metadata: { uid } }) => uid)
      .sort(),
    configMaps: maps.items.map((map: { metadata: { name: string } }) => map.metadata.name) as string[],
    journal: head.metadata.resourceVersion as string,
  };
}

/** As `image:proxy` builds it. */
export async function pushImageOf(
  workspace: string,
  { name, words }: { name: string; words: string },
): Promise<string> {
  await mkdir(join(workspace, source, 'src'), { recursive: true });
  await writeFile(join(workspace, source, 'package.json'), '{ "name": "proxy", "type": "module" }');
  await writeFile(join(workspace, source, 'src/main.ts'), program.replace('hello', words));
  const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(workspace, 'base') }) });
  const layout = join(workspace, 'image');
  const signal = AbortSignal.timeout(120_000);
  await builder.build({ workspace, source, labels: {}, layout }, signal);
  const pushed = await pushImage(layout, { repository: name, mountFrom: undefined }, signal);
  return `${name}@${pushed.digest}`;
}

/** Somebody who asks through the router, twenty times a second. */
async function startUsers(host: string) {
  const [door = ''] = readCluster().gateways;
  const over = new AbortController();
  const users = { answered: 0, failed: [] as string[] };
  const asking = (async () => {
    while (!over.signal.aborted) {
      await ask(door, host).then(
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

async function ask(door: string, host: string): Promise<number> {
  const sent = request(`${door}/`, {
    headers: { host },
    agent: false,
    timeout: 5_000,
  }).end();
  const [answer] = await once(sent, 'response');
  answer.resume();
  return answer.statusCode;
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const signal = AbortSignal.timeout(60_000); !(await holds()); ) await sleep(100, undefined, { signal });
}
