import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { openRecords } from '@headgate/rollout';
import { driverRoles, forget, variablesOf } from '../../src/cli/account.rig.ts';
import { clearing } from '../clearing.ts';
import { openCommands, repository, standStill } from '../commands.ts';
import { type Router, readSpec, type Stage, stageAt } from '../stage.ts';
import { type Driver, furnish, hostOf, routerOf, routers } from './furnish.ts';
import { type Ground, kubeCache, openGround, readCluster } from './ground.ts';
import { objectsOf } from './objects.ts';

/** A stage on the test cluster. Its commands run outside of it, each with the rights of who gives it: a releaser, or with `cli` a driver. */
export interface ClusterStage extends Stage {
  readonly kubectl: Ground['kubectl'];
  readonly watch: Ground['watch'];
  readonly namespace: string;
  /** Where users' requests can go: one address for each replica of the gateway. */
  readonly gateways: readonly string[];
  /** Processes of the pods that `kubectl get pods` finds by these arguments: the node is this machine. */
  processesOf(...selection: string[]): Promise<readonly number[]>;
}

/** What stands before bootstrap does, and what headgate.yaml says of it. */
type Before = { readonly queue: string; readonly stand: (ground: Ground) => Promise<void> };

type Special = { readonly before?: Before; readonly router?: Router };

export async function openClusterStage(
  release: string,
  driver: Driver,
  { before, router }: Special = {},
): Promise<ClusterStage> {
  await enterCluster();
  process.env['HEADGATE_POD_NETWORK'] = '1';
  const namespace = `acceptance-${process.pid}`;
  const ground = await openGround(namespace);
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const file = join(folder, 'headgate.yaml');
  await writeFile(file, `${appText(namespace, driver, { queue: before?.queue, router })}release:\n${release}`);
  for (const service of ['proxy', 'rating']) {
    const manifests = join('services', service, 'deploy');
    await cp(join(repository, manifests), join(folder, manifests), { recursive: true });
  }
  const away = clearing(() => clear(ground, [folder, sources]));
  try {
    await before?.stand(ground);
    await furnish(ground, { file, folder, sources }, driver);
    return await stageOn(ground, { file, folder, sources, away }, driver);
  } catch (error) {
    await away();
    throw error;
  }
}

/** @throws Error for a stage on this machine alone */
export function onCluster(stage: Stage): ClusterStage {
  if (!('kubectl' in stage)) throw new Error('this part needs a cluster: --on controller or --on cli');
  return stage as ClusterStage; // No other stage has one.
}

/** For this process and for the commands that it starts. */
export async function enterCluster(): Promise<void> {
  const { registry, kubeconfig } = await readCluster();
  process.env['HEADGATE_PLAIN_REGISTRIES'] = registry;
  process.env['KUBECONFIG'] = kubeconfig;
  process.env['PATH'] = [join(kubeCache, 'bin'), process.env['PATH']].join(delimiter); // The cluster's own kubectl.
}

type Holders = {
  readonly folder: string;
  readonly driver: Driver;
  /** Of the app's environments, besides its own. */
  readonly namespaces?: readonly string[];
};

/** Variables of the commands, with the rights of a driver and of a person who only releases: with `cli` they are the same. */
export async function accounts(ground: Ground, app: string, { folder, driver, namespaces = [] }: Holders) {
  const all = [ground.namespace, ...namespaces];
  const roles = driverRoles(app, all);
  const releaser = all.map((namespace) => ({ namespace, role: `headgate-${app}-releaser` }));
  return {
    driver: await variablesOf(ground, 'driver', { folder, roles }),
    person: await variablesOf(ground, 'person', { folder, roles: driver === 'cli' ? roles : releaser }),
  };
}

export async function clear(ground: Ground, folders: readonly string[]): Promise<void> {
  await forget(ground, 'bootstrap', 'controller', 'driver', 'person');
  await ground[Symbol.asyncDispose]();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

type Written = {
  readonly file: string;
  readonly folder: string;
  readonly sources: string;
  /** Takes away all of the stage but its commands. */
  readonly away: () => Promise<void>;
};

async function stageOn(
  ground: Ground,
  { file, folder, sources, away }: Written,
  driver: Driver,
): Promise<ClusterStage> {
  const { cluster, kubectl, namespace } = ground;
  const spec = await readSpec(file);
  const pace = { untilMs: 120_000, lookEveryMs: 200 };
  const { driver: env, person } = await accounts(ground, spec.app, { folder, driver });
  const records = openRecords(spec, folder);
  const commands = openCommands({ file, app: spec.app, records, env: person, pace });
  const gateways = cluster[routers[routerOf(spec)].addresses];
  const [origin = ''] = gateways;
  const address = await kubectl(['get', 'service', 'nats', '-o', 'jsonpath={.spec.clusterIP}']);
  const nats = `nats://${address}:4222`;
  const repositories = `${cluster.registry}/ratings`;
  return {
    ...stageAt({
      file,
      spec,
      state: folder,
      origin,
      headers: { host: hostOf(ground) },
      env,
      nats,
      commands,
      repositories,
      sources,
    }),
    ...(spec.kubernetes?.driver === 'controller' && {
      standStill: async () =>
        standStill(await processesOf(ground, ['--selector', 'app.kubernetes.io/name=headgate-controller'])),
    }),
    objects: (lane) => objectsOf(ground, lane),
    kubectl,
    watch: ground.watch,
    namespace,
    gateways,
    processesOf: (...selection) => processesOf(ground, selection),
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await away();
    },
  };
}

async function processesOf({ kubectl }: Ground, selection: readonly string[]): Promise<readonly number[]> {
  const uid = 'jsonpath={range .items[*]}{.metadata.uid} {end}';
  const uids = (await kubectl(['get', 'pods', ...selection, '-o', uid])).trim();
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const groups = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')));
  return pids.filter((_, i) => uids.split(' ').some((uid) => groups[i]?.includes(uid)));
}

type AppWords = { readonly queue?: string | undefined; readonly router?: Router | undefined };

/** headgate.yaml as far as its release. */
export function appText(namespace: string, driver: Driver, { queue, router = 'gateway-api' }: AppWords = {}): string {
  return `app: ratings
services:
  proxy:
    source: services/proxy
    port: 8080
    replicas: 2
    env: { PATH_PREFIX: /api }
    probe: '/api/ratings?limit=1'
    manifests: services/proxy/deploy/overlays/staging
  rating:
    source: services/rating
    replicas: 2
    pulls: [get.ratings, post.ratings, delete.ratings, get.users, post.users, get.services, post.services]
    manifests: services/rating/deploy/overlays/staging
queue: { jetstream: nats://nats:4222${queue === undefined ? '' : `, ${queue}`} }
kubernetes:
  namespace: ${namespace}
  traffic:
    ${router}: { route: ratings }
    replicas: { namespace: gateway, service: traefik, listener: ${routers[router].listener}, metrics: traefik }
  driver: ${driver}
`;
}
