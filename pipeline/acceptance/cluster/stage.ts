import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { openRecords, parseSpec, type Spec } from '@headgate/rollout';
import { fromMachine } from '../../src/image/base.ts';
import { openImageBuilder } from '../../src/image/image.ts';
import { userRequest } from '../../src/perf/ledger.ts';
import { type Load, startLoad } from '../../src/perf/open-loop.ts';
import { pushImage } from '../../src/registry/client.ts';
import { type Commands, openCommands, type Ran, repository } from '../commands.ts';
import { openVersions } from '../versions.ts';
import { type Ground, kubeCache, openGround, readCluster } from './ground.ts';

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate');
const host = 'ratings.test';
const database = 'postgres://headgate@postgres:5432/ratings';

/** A real app on the test cluster, and the hands of a person on the command line outside. */
export interface ClusterStage extends AsyncDisposable, Omit<Commands, typeof Symbol.dispose> {
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly kubectl: Ground['kubectl'];
  /** `service=image` of a version of the rating service. */
  images(version: string): Promise<readonly string[]>;
  release(version: string, ...args: string[]): Promise<Ran>;
  load(perSecond: number): Load;
}

export async function openClusterStage(release: string, driver = 'controller'): Promise<ClusterStage> {
  const { registry, kubeconfig } = await readCluster();
  // For this process and for the commands that it starts.
  process.env['HEADGATE_PLAIN_REGISTRIES'] = registry;
  process.env['KUBECONFIG'] = kubeconfig;
  process.env['HEADGATE_POD_NETWORK'] = '1';
  process.env['PATH'] = [join(kubeCache, 'bin'), process.env['PATH']].join(delimiter); // The cluster's own kubectl.
  const namespace = `acceptance-${process.pid}`;
  const ground = await openGround(namespace);
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const file = join(folder, 'headgate.yaml');
  await writeFile(file, specText(namespace, driver, release));
  for (const service of ['proxy', 'rating']) {
    const manifests = join('services', service, 'deploy');
    await cp(join(repository, manifests), join(folder, manifests), { recursive: true });
  }
  const stage = stageOn(ground, { file, spec: await readSpec(file), sources }, async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(sources, { recursive: true, force: true });
  });
  try {
    await ground.kubectl(['create', 'secret', 'generic', 'ratings-database', `--from-literal=url=${database}`]);
    const made = await stage.run('bootstrap', '--gateway', 'gateway/main', '--host', host, '--path', '/api');
    if (made.code !== 0) throw new Error(`bootstrap: ${made.out}${made.err}`);
    if (driver === 'controller') await startController(ground, sources);
    return stage;
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    throw error;
  }
}

async function readSpec(file: string): Promise<Spec> {
  const parsed = parseSpec(await readFile(file, 'utf8'), { file });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

type Written = { readonly file: string; readonly spec: Spec; readonly sources: string };

function stageOn(ground: Ground, { file, spec, sources }: Written, cleanUp: () => Promise<void>): ClusterStage {
  const { cluster, kubectl, namespace } = ground;
  const image = openVersions(repository, sources, cache, `${cluster.registry}/ratings`);
  const images = async (version: string) => [
    `proxy=${await image('proxy', 'v1')}`,
    `rating=${await image('rating', version)}`,
  ];
  const [origin = ''] = cluster.gateways;
  const pace = { untilMs: 120_000, lookEveryMs: 200 };
  const commands = openCommands({ file, app: spec.app, records: openRecords(spec, sources), pace });
  return {
    origin,
    headers: { host },
    kubectl,
    images,
    ...commands,
    release: async (version, ...args) =>
      commands.run('release', ...(await images(version)), '--reason', `acceptance: ${version}`, ...args),
    load: (perSecond) => startLoad({ origin, perSecond, make: userRequest, headers: { host } }),
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      const roles = ['rolebinding', `headgate-ratings-controller-${namespace}`, '--ignore-not-found'];
      await kubectl(['delete', '--namespace', 'gateway', ...roles]);
      await ground[Symbol.asyncDispose]();
      await cleanUp();
    },
  };
}

async function startController({ cluster, kubectl }: Ground, folder: string): Promise<void> {
  const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(cache, 'base') }) });
  const layout = join(folder, 'controller');
  const signal = AbortSignal.timeout(120_000);
  const request = { workspace: repository, source: 'rollout', program: 'src/controller/main.ts', labels: {}, layout };
  await builder.build(request, signal);
  const pushed = await pushImage(
    layout,
    { repository: `${cluster.registry}/controller`, mountFrom: undefined },
    signal,
  );
  const overlay = {
    resources: [relative(folder, join(repository, 'rollout/deploy/overlays/staging'))],
    images: [{ name: 'headgate-controller', newName: pushed.repository, digest: pushed.digest }],
  };
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(overlay));
  await kubectl(['apply', '-k', folder]);
  await kubectl(['rollout', 'status', 'deployment/headgate-controller', '--timeout=120s']);
}

function specText(namespace: string, driver: string, release: string): string {
  return `app: ratings
services:
  proxy:
    source: services/proxy
    port: 8080
    replicas: 2
    env: { PATH_PREFIX: /api }
    probe: '/api/ratings?limit=1'
    manifests: services/proxy/deploy/overlays/dev
  rating:
    source: services/rating
    replicas: 2
    pulls: [get.ratings, post.ratings, delete.ratings, get.users, post.users, get.services, post.services]
    manifests: services/rating/deploy/overlays/dev
queue: { jetstream: nats://nats:4222 }
kubernetes:
  namespace: ${namespace}
  traffic:
    gateway-api: { route: ratings }
    replicas: { namespace: gateway, service: traefik, listener: web, metrics: traefik }
  driver: ${driver}
release:
${release}`;
}
