/** What each replica of the data plane does of a pair of Ingresses, by requests that only the new configuration answers in the new way. */

import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../deadline.ts';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { hostHeader } from '../host-header.ts';
import { type Replica, slicesOf } from '../replicas.ts';
import { type Ingress, type IngressNames, lanesRule, mainPath, markHeaders, type PairState } from './pair.ts';

const replicaMaxMs = 1_000;
/** Between two questions whether a step on the way to 100 has come into force. */
const askEveryMs = 50;
const stepMaxMs = 8_000;

export type Asking = {
  /** In the namespace of the Ingresses. */
  readonly client: KubeClient;
  readonly names: IngressNames;
  readonly replicas: (signal: AbortSignal) => Promise<readonly Replica[]>;
};

/** What shall be in force; `main` as it is now, for hosts and paths. */
export type Wanted = { readonly state: PairState; readonly main: Ingress };

type Shown =
  /** Every replica has shown both. */
  | { readonly kind: 'shown' }
  /** Every replica has shown main; the canary is at 0 and has nobody who could answer for it. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'behind'; readonly why: string };

/** Waits until every replica does what the pair says, and answers why it does not. */
export async function inForce(target: Asking, wanted: Wanted, signal: AbortSignal): Promise<string | undefined> {
  const deadline = withDeadline(signal, stepMaxMs);
  let why = 'nobody was asked';
  while (!deadline.aborted) {
    const seen = await askAll(target, wanted, await target.replicas(signal), deadline);
    if (seen.kind !== 'behind') return undefined;
    why = seen.why;
    await sleep(askEveryMs, undefined, { signal: deadline }).catch(() => undefined);
  }
  signal.throwIfAborted();
  return why;
}

export async function askAll(
  target: Asking,
  wanted: Wanted,
  replicas: readonly Replica[],
  signal: AbortSignal,
): Promise<Shown> {
  if (replicas.length === 0) return { kind: 'behind', why: 'no replica of the ingress controller was found' };
  const answers = await Promise.all(replicas.map((replica) => askReplica(replica, target, wanted, signal)));
  const late = answers.find(({ kind }) => kind === 'behind');
  if (late !== undefined) return late;
  if (answers.every(({ kind }) => kind === 'shown')) return { kind: 'shown' };
  const name = target.names.services.weighted[wanted.state.canary];
  const isUp = wanted.state.weight > 0 || (await hasEndpoints(target, name, signal));
  return isUp
    ? { kind: 'behind', why: 'a replica of the ingress controller has not the new canary yet' }
    : { kind: 'idle' };
}

/** `idle` here: main was shown, the canary was not. */
async function askReplica(
  replica: Replica,
  { names }: Asking,
  { state, main }: Wanted,
  signal: AbortSignal,
): Promise<Shown> {
  const deadline = withDeadline(signal, replicaMaxMs);
  const { host, path } = wherein(main, names);
  const ask = async (asked: string, headers: Readonly<Record<string, string>>) => {
    const answer = await replica.get({ path: asked, headers: { ...headers, ...hostHeader(host) } }, deadline);
    return { status: answer.status, lane: answer.headers['headgate-lane'] };
  };
  try {
    const { status, lane } = await ask(mainPath(names.app), {});
    // Closed is a route that nobody stands behind, which is another thing than no route.
    const hasMain = lane === state.main && (state.main !== undefined || status === 503);
    if (!hasMain) return { kind: 'behind', why: `replica ${replica.name} has not the new main ingress yet` };
    // A canary beside a closed main, or of main's own lane, has no effect.
    if (state.main === undefined || state.main === state.canary) return { kind: 'shown' };
    const answer = await ask(path, markHeaders(state, names));
    return answer.lane === state.canary ? { kind: 'shown' } : { kind: 'idle' };
  } catch (cause) {
    return { kind: 'behind', why: `replica ${replica.name} does not answer: ${String(cause)}` };
  }
}

/** A path below the lanes' first one. Its dots make it one that the lanes' proxies refuse without passing it on. */
function wherein(
  { spec }: Ingress,
  { app }: IngressNames,
): { readonly host: string | undefined; readonly path: string } {
  const rule = lanesRule(spec, app);
  const first = rule?.http?.paths.find(({ path }) => path !== mainPath(app));
  const start = (first?.path ?? '').replace(/\/$/, '');
  return {
    host: rule?.host,
    path: first?.pathType === 'Exact' ? (first.path ?? '/') : `${start}${mainPath(app)}.canary`,
  };
}

async function hasEndpoints({ client }: Asking, service: string, signal: AbortSignal): Promise<boolean> {
  const slices = await slicesOf(client, service, signal);
  return slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
}
