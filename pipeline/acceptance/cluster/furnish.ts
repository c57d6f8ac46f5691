import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { Spec } from '@headgate/rollout';
import { bootstrapRoles, variablesOf } from '../../src/cli/account.rig.ts';
import { fromMachine } from '../../src/image/base.ts';
import { openImageBuilder } from '../../src/image/image.ts';
import { pushImage } from '../../src/registry/client.ts';
import { bin, repository } from '../commands.ts';
import { cache, type Router, readSpec } from '../stage.ts';
import type { Ground } from './ground.ts';

/** Who drives the releases of an app: controllers in the cluster, or the command that begins one. */
export type Driver = 'controller' | 'cli';

/** For each router: how bootstrap is told of it, the listener of the gateway's replicas, and where that is. */
export const routers = {
  'gateway-api': { entrance: ['--gateway', 'gateway/main'], listener: 'web', addresses: 'gateways' },
  'ingress-nginx': { entrance: ['--ingress-class', 'nginx'], listener: 'nginx', addresses: 'ingresses' },
} as const satisfies Record<Router, object>;

export function routerOf({ kubernetes }: Spec): Router {
  if (kubernetes === undefined) throw new Error('its headgate.yaml names no cluster');
  return kubernetes.traffic.kind;
}

/** Whose requests the gateway gives to the app: of its own, so that parts can be played beside each other on one gateway. */
export function hostOf({ namespace }: Pick<Ground, 'namespace'>): string {
  return `${namespace}.test`;
}

export const database = 'postgres://headgate@postgres:5432/ratings';

type Places = {
  /** headgate.yaml. */
  readonly file: string;
  /** For the kubeconfig of whoever bootstraps. */
  readonly folder: string;
  readonly sources: string;
};

/** What an app needs in its namespace, which is that of an environment where one is named, before its first release. */
export async function furnish(
  ground: Ground,
  { file, folder, sources }: Places,
  driver: Driver,
  environment?: string,
): Promise<void> {
  await ground.kubectl(['create', 'secret', 'generic', 'ratings-database', `--from-literal=url=${database}`]);
  await bootstrap(ground, { file, folder }, environment);
  if (driver === 'controller') await startController(ground, sources);
}

/** By an account that may do this and nothing else: the administrator gives it its rights, as README says, and makes nothing more. */
async function bootstrap(
  ground: Ground,
  { file, folder }: Pick<Places, 'file' | 'folder'>,
  environment: string | undefined,
): Promise<void> {
  const spec = await readSpec(file, environment);
  const users = ['--host', hostOf(ground), '--path', '/api'];
  const named = environment === undefined ? [] : ['--environment', environment];
  const args = [bin, 'bootstrap', '--file', file, ...named, ...routers[routerOf(spec)].entrance, ...users];
  const printed = await promisify(execFile)(process.execPath, [...args, '--print']);
  // Without a namespace of its own, as one of the roles is of the gateway's.
  const which = ['--selector', 'headgate.dev/rights=bootstrap'];
  const applying = promisify(execFile)('kubectl', ['apply', '--server-side', '--filename', '-', ...which]);
  applying.child.stdin?.end(printed.stdout);
  await applying;
  const roles = bootstrapRoles(spec.app, ground.namespace);
  const env = await variablesOf(ground, 'bootstrap', { folder, roles });
  await promisify(execFile)(process.execPath, args, { env });
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
