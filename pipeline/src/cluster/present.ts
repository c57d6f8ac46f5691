import { isHeadgateError } from '@headgate/rollout';
import { onPath } from '@headgate/rollout/servers';
import { openKubectl } from '../deploy/kubectl.ts';
import type { Environment } from '../run/environment.ts';
import { missing } from './programs.ts';

export type Present = { readonly context: string; readonly server: string; readonly version: string };
export type Silent = { readonly context: string; readonly version: undefined };

type View = {
  readonly 'current-context'?: string;
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string } }[] | null;
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server?: string } }[] | null;
};

const presentMaxMs = 10_000;

/** What the kubeconfig's current context leads to; `undefined`: it names none. @throws {HeadgateError} `CLUSTER_REFUSED`, `TOOL_MISSING` */
export async function findPresent(env: Environment, signal: AbortSignal): Promise<Present | Silent | undefined> {
  if (onPath('kubectl', env) === undefined) throw missing('kubectl');
  const kubectl = openKubectl({ namespace: 'default', env: { ...env, HEADGATE_KUBECONFIG: undefined } }, signal);
  const view = JSON.parse(await kubectl(['config', 'view', '--output=json'])) as View; // Of kubectl.
  const context = view['current-context'];
  const cluster = view.contexts?.find(({ name }) => name === context)?.context.cluster;
  const server = view.clusters?.find(({ name }) => name === cluster)?.cluster.server;
  if (!context || server === undefined) return undefined;
  try {
    const said = await kubectl(['version', '--output=json'], { maxMs: presentMaxMs });
    return { context, server, version: JSON.parse(said).serverVersion.gitVersion };
  } catch (error) {
    if (isHeadgateError(error) && error.code === 'CLUSTER_UNREACHABLE') return { context, version: undefined };
    throw error;
  }
}
