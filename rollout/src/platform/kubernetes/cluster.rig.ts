/** The cluster that the tests of project `kube` run on, with a namespace of their own and an API server that can be cut off. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, isIP, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dump, FAILSAFE_SCHEMA, load } from 'js-yaml';
import { type KubeClient, type KubeObject, openKubeClient } from './client.ts';
import { kinds } from './kinds.ts';

export type TestCluster = {
  /** `full`: with a node and pods. `nonode`: control plane and gateway. `control`: control plane. `taken`: somebody's own. */
  readonly mode: 'full' | 'nonode' | 'control' | 'taken';
  readonly kubeconfig: string;
  /** One address for each replica of the gateway; empty without one. */
  readonly gateways: readonly string[];
  readonly ingresses: readonly string[];
  readonly gatewayApis: readonly string[];
  /** Pods pull from it; `null` without a node. */
  readonly registry: string | null;
};

export function testCluster(): TestCluster {
  const file = process.env['HEADGATE_KUBE_CLUSTER'];
  if (file === undefined) throw new Error('these tests run in the Jest project kube: npm run test:kube');
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** A namespace that is gone after the test, and a client in it. */
export async function temporaryNamespace(
  kubeconfig: string = testCluster().kubeconfig,
): Promise<AsyncDisposable & { readonly name: string; readonly client: KubeClient }> {
  const name = `hg-${randomBytes(4).toString('hex')}`;
  const client = openKubeClient({ kubeconfig, namespace: name });
  const signal = AbortSignal.timeout(10_000);
  await client.create(kinds.Namespace, { metadata: { name } }, signal);
  return {
    name,
    client,
    async [Symbol.asyncDispose]() {
      await client.remove(kinds.Namespace, name, AbortSignal.timeout(10_000)); // What is in it goes by itself.
      client[Symbol.dispose]();
    },
  };
}

/** A client of a service account that holds this role of the namespace and nothing else. */
export async function openAs(
  admin: KubeClient,
  role: string,
  account = role,
): Promise<KubeClient & AsyncDisposable & { readonly kubeconfig: string }> {
  await bindRole(admin, role, account);
  const config = await kubeconfigAs(admin.namespace, account);
  const client = openKubeClient({ kubeconfig: config.path, namespace: admin.namespace });
  return {
    ...client,
    kubeconfig: config.path,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await config[Symbol.asyncDispose]();
    },
  };
}

/** Gives a service account, of this namespace unless said, a role of this one. */
export async function bindRole(
  admin: KubeClient,
  role: string,
  account: string,
  { name = account, namespace = admin.namespace }: { readonly name?: string; readonly namespace?: string } = {},
): Promise<void> {
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role };
  const binding = { metadata: { name }, roleRef, subjects };
  await admin.create<Binding>(kinds.RoleBinding, binding, AbortSignal.timeout(10_000));
}

/** A kubeconfig of a service account, whatever it may do; `through` is one of somebody who may be anybody. */
export async function kubeconfigAs(
  namespace: string,
  account: string,
  through: string = testCluster().kubeconfig,
): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-as-'));
  const config = await kubeconfigOf(through);
  const [first] = config.users;
  // The API server then asks what this account may do, as `kubectl --as` does.
  const user = { ...first, user: { ...first?.user, as: `system:serviceaccount:${namespace}:${account}` } };
  const path = join(folder, 'kubeconfig');
  await writeFile(path, dump({ ...config, users: [user] }), { mode: 0o600 });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

type Binding = KubeObject & { readonly roleRef: object; readonly subjects: readonly object[] };

/** A way to the API server that can be cut and stopped, and the kubeconfig that leads through it. */
export interface FaultyWay extends AsyncDisposable {
  readonly kubeconfig: string;
  /** Ends all connections and takes no new one. */
  cut(): void;
  /** Keeps all connections and lets nothing through. */
  stall(): void;
  /** Lets requests through and no answers. */
  mute(): void;
  heal(): void;
}

export async function openFaultyWay(kubeconfig: string = testCluster().kubeconfig): Promise<FaultyWay> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-way-'));
  const config = await kubeconfigOf(kubeconfig);
  const cluster = config.clusters[0]!.cluster;
  const { hostname, port } = new URL(cluster.server);
  const sockets = new Set<Socket>();
  const answering = new Set<Socket>();
  let state: 'open' | 'cut' | 'stalled' | 'mute' = 'open';

  const server = createServer((near) => {
    if (state === 'cut') return void near.destroy();
    const far = connect(Number(port), hostname);
    for (const [here, there] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(here);
      here.on('data', (chunk) => there.write(chunk));
      here.on('error', () => {}); // The close that follows ends the other half.
      here.on('close', () => {
        sockets.delete(here);
        answering.delete(here);
        there.destroy();
      });
      if (state === 'stalled' || (state === 'mute' && here === far)) here.pause();
      if (here === far) answering.add(here);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number }; // It listens on TCP.
  const ours = {
    ...cluster,
    server: `https://127.0.0.1:${address.port}`,
    ...(isIP(hostname) ? {} : { 'tls-server-name': hostname }),
  };
  const file = join(folder, 'kubeconfig');
  await writeFile(file, dump({ ...config, clusters: [{ ...config.clusters[0], cluster: ours }] }), { mode: 0o600 });

  const cut = () => {
    state = 'cut';
    for (const socket of sockets) socket.destroy();
  };
  return {
    kubeconfig: file,
    cut,
    stall() {
      state = 'stalled';
      for (const socket of sockets) socket.pause();
    },
    mute() {
      state = 'mute';
      for (const socket of answering) socket.pause();
    },
    heal() {
      state = 'open';
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Kubeconfig = {
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string } }[];
  readonly users: readonly { readonly name: string; readonly user: object }[];
};

async function kubeconfigOf(file: string): Promise<Kubeconfig> {
  return load(await readFile(file, 'utf8'), { schema: FAILSAFE_SCHEMA }) as Kubeconfig; // Our own or a taken one.
}
