/** A namespace of the test cluster with nats-server and Postgres in pods, and hands on it. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromMachine } from '../../src/image/base.ts';
import { pushImage } from '../../src/registry/client.ts';
import { clearing } from '../clearing.ts';
import { buildNats, buildPostgres } from './server-images.ts';

/** What `cluster:up` says of the cluster. */
export type Cluster = {
  readonly kubeconfig: string;
  readonly gateways: readonly string[];
  /** The same replicas, where they serve Ingresses. */
  readonly ingresses: readonly string[];
  readonly gatewayApis: readonly string[];
  readonly registry: string;
};

export interface Ground extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** `kubectl <args>` in the namespace; what it printed. @throws if it fails */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** `kubectl <args> --watch`, until it is disposed of. `text`: what it has printed. */
  watch(args: readonly string[]): Disposable & { readonly text: () => string };
}

/** Where the build of the cluster puts its programs. */
export const kubeCache = process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube');

export async function readCluster(): Promise<Cluster> {
  const run = process.env['HEADGATE_KUBE_RUN'] ?? '/run/headgate-kube';
  return JSON.parse(await readFile(join(run, 'cluster.json'), 'utf8')) as Cluster;
}

export async function openGround(namespace: string): Promise<Ground> {
  const cluster = await readCluster();
  const kubectl = kubectlOf(cluster, namespace);
  await kubectl(['create', 'namespace', namespace]);
  const ground: Ground = {
    cluster,
    namespace,
    kubectl,
    watch: watchOf(cluster, namespace),
    [Symbol.asyncDispose]: clearing(async () => {
      await kubectl(['delete', 'namespace', namespace, '--wait=true', '--timeout=120s', '--ignore-not-found']);
    }),
  };
  try {
    const images = await pushServers(cluster.registry);
    await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: servers(images) }));
    await kubectl(['rollout', 'status', 'deployment/nats', '--timeout=120s']);
    await kubectl(['rollout', 'status', 'deployment/postgres', '--timeout=120s']);
    return ground;
  } catch (cause) {
    const logs = await kubectl(['logs', '--selector=server', '--tail=20', '--prefix']).catch(String);
    const pods = await kubectl(['get', 'pods', '-o', 'wide']).catch(String);
    await ground[Symbol.asyncDispose]();
    throw new Error(`The servers of the tests did not come up:\n${pods}${logs}`, { cause });
  }
}

const program = join(kubeCache, 'bin/kubectl');

function kubectlOf({ kubeconfig }: Cluster, namespace: string): Ground['kubectl'] {
  return async (args, input) => {
    const all = ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args];
    const running = promisify(execFile)(program, all, { maxBuffer: 64 * 1024 * 1024 });
    running.child.stdin?.end(input ?? '');
    return (await running).stdout;
  };
}

function watchOf({ kubeconfig }: Cluster, namespace: string): Ground['watch'] {
  return (args) => {
    const all = ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args, '--watch'];
    const watching = spawn(program, all, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    watching.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    return { text: () => text, [Symbol.dispose]: () => void watching.kill() };
  };
}

async function pushServers(registry: string): Promise<{ readonly nats: string; readonly postgres: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-servers-'));
  const base = fromMachine({
    cacheFolder: join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate/base'),
  });
  const signal = AbortSignal.timeout(300_000);
  const push = async (name: string, build: typeof buildNats): Promise<string> => {
    const { layout } = await build(base, join(folder, name), signal);
    const pushed = await pushImage(layout, { repository: `${registry}/servers/${name}`, mountFrom: undefined }, signal);
    return `${pushed.repository}@${pushed.digest}`;
  };
  try {
    return { nats: await push('nats', buildNats), postgres: await push('postgres', buildPostgres) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function servers({ nats, postgres }: { readonly nats: string; readonly postgres: string }): readonly object[] {
  const jetstream = ['-js', '-sd', '/data', '-m', '8222'];
  return [
    ...server('nats', { image: nats, args: jetstream, port: 4222, mount: '/data' }),
    ...server('postgres', { image: postgres, args: [], port: 5432, mount: '/data' }),
  ];
}

function server(
  name: string,
  { image, args, port, mount }: { image: string; args: readonly string[]; port: number; mount: string },
): readonly object[] {
  const labels = { server: name };
  const container = {
    name,
    image,
    args,
    ports: [{ containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    volumeMounts: [{ name: 'data', mountPath: mount }],
  };
  const securityContext = { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 };
  const pod = { securityContext, containers: [container], volumes: [{ name: 'data', emptyDir: {} }] };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } },
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: labels, ports: [{ port }] } },
  ];
}
