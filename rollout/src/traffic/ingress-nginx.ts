/**
 * Weights and pins by the canary annotations of ingress-nginx: a main Ingress that the live lane has, and a canary for the other one
 * (ingress-nginx/pair.ts). A controller says nothing of what it has read, so each replica of the data plane is asked by requests that only
 * the new configuration answers in the new way; and a lane that nobody leads to counts as closed when its proxies have answered nothing in
 * the last 2 s.
 */
import { HeadgateError } from '../errors.ts';
import { sameWeights } from '../lane.ts';
import type { KubeClient, KubeObject, PatchStep } from '../platform/kubernetes/client.ts';
import { refuseReplaced } from '../platform/kubernetes/fence.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { closedLanes, type ProxiesOf, watchClosing } from './closed.ts';
import { askAll, inForce } from './ingress-nginx/ask.ts';
import {
  type Ingress,
  type IngressNames,
  nextState,
  type PairRead,
  type PairState,
  readPair,
  unsupportedPins,
  weightKey,
  weightsOf,
} from './ingress-nginx/pair.ts';
import { canaryPatch, mainPatch } from './ingress-nginx/patch.ts';
import type { Replica } from './replicas.ts';
import { type Place, patchRouteObject, readRouteObject } from './route-object.ts';
import type { TrafficDone, TrafficRouter, TrafficSeen } from './traffic.ts';
import { checkSplit } from './weights.ts';
import { fieldManager, writerOf } from './writer.ts';

export type IngressNginxTarget = {
  /** In the namespace of the Ingresses. */
  readonly client: KubeClient;
  /** Names of the two Ingresses. */
  readonly main: string;
  readonly canary: string;
  readonly names: IngressNames;
  /** The driver's number in the journal; every write carries it. */
  readonly fence: () => number;
  /** All replicas of the data plane. */
  readonly replicas: (signal: AbortSignal) => Promise<readonly Replica[]>;
  readonly proxiesOf: ProxiesOf;
};

const writesMax = 10;
export function openIngressNginxTraffic(target: IngressNginxTarget): TrafficRouter {
  const { names, fence } = target;
  const closing = watchClosing(target.proxiesOf);
  let last: PairState | undefined;
  let confirmed = '';

  async function write(next: (state: PairState) => PairState | undefined, signal: AbortSignal): Promise<TrafficDone> {
    for (let n = 0; n < writesMax; n++) {
      const pair = await readObjects(target, signal);
      const state = stateOf(target, pair);
      const wanted = next(state) ?? state;
      const why = unsupportedPins(wanted);
      if (why !== undefined) return { kind: 'unsupported', why };
      if (await step(pair, state, wanted, signal)) {
        last = wanted;
        if (next(wanted) === undefined) return { kind: 'done' };
      }
    }
    throw refused(target, `${writesMax} writes did not bring it about`);
  }

  /** @returns whether it was written: somebody else may have been faster */
  async function step(pair: Pair, state: PairState, wanted: PairState, signal: AbortSignal): Promise<boolean> {
    const moves = wanted.main !== state.main || wanted.canary !== state.canary;
    const why = moves ? await inForce(target, { state, main: pair.main }, signal) : undefined;
    if (why !== undefined) throw refused(target, `the step before is not in force: ${why}`);
    return (await patchPair(target, pair, wanted, signal)) === 'written';
  }

  return {
    async setWeights(weights, signal) {
      signal.throwIfAborted();
      checkSplit(weights);
      return write((state) => nextState(state, weights), signal);
    },
    async setPins(pins, signal) {
      signal.throwIfAborted();
      return write(
        (state) => (JSON.stringify(state.pins) === JSON.stringify(pins) ? undefined : { ...state, pins }),
        signal,
      );
    },
    async observe(signal) {
      signal.throwIfAborted();
      const [pair, replicas] = await Promise.all([readObjects(target, signal), target.replicas(signal)]);
      const read = readPair(pair.main, pair.canary, names);
      const against = objection(pair, read, { last, fence: fence() });
      if (against !== undefined || read.kind === 'unfit') return against ?? pending('unfit');
      const key = JSON.stringify([versionsOf(pair), replicas.map(({ name, pod }) => [name, pod])]);
      if (confirmed !== key) {
        confirmed = ''; // A replica that went and comes back at its address may have an old configuration.
        const seen = await askAll(target, { state: read.state, main: pair.main }, replicas, signal);
        if (seen.kind === 'behind') return pending(seen.why);
        confirmed = seen.kind === 'shown' ? key : ''; // Questions reach a lane, so what was shown is not asked again.
      }
      const split = { weights: weightsOf(read.state), pins: read.state.pins };
      // After the questions, which are requests too.
      const why = await closing.whyOpen(closedLanes(split.weights, split.pins), signal);
      return why === undefined ? { kind: 'agreed', ...split } : pending(why);
    },
  };
}

type Pair = { readonly main: Ingress; readonly canary: Ingress };

/** What the Ingresses themselves say against an agreement. */
function objection(
  pair: Pair,
  read: PairRead,
  { last, fence }: { readonly last: PairState | undefined; readonly fence: number },
): TrafficSeen | undefined {
  if (read.kind === 'unfit') return pending(read.why);
  const { state } = read;
  const manager = managerOf(pair);
  const isForeign = manager !== fieldManager && (last === undefined || !sameWeights(weightsOf(last), weightsOf(state)));
  if (isForeign && (last !== undefined || read.fence !== undefined))
    return { kind: 'foreign', weights: weightsOf(state), pins: state.pins, manager };
  if (read.fence === undefined) return pending('Headgate has not written the ingresses yet');
  if (read.fence !== fence) return pending(`driver ${read.fence} has written the ingresses, and this is ${fence}`);
  return read.whole ? undefined : pending('the annotations of the canary do not belong together');
}

function pending(why: string): TrafficSeen {
  return { kind: 'pending', why };
}

function stateOf(target: IngressNginxTarget, { main, canary }: Pair): PairState {
  const read = readPair(main, canary, target.names);
  if (read.kind === 'unfit') throw refused(target, read.why);
  refuseReplaced(`Ingress ${target.client.namespace}/${target.main}`, read.fence, target.fence());
  return read.state;
}

/** Who wrote weights or backends last, if it was not Headgate. */
function managerOf({ main, canary }: Pair): string {
  const writers = [
    writerOf(canary.metadata.managedFields, ['f:metadata', 'f:annotations', `f:${weightKey}`]),
    writerOf(main.metadata.managedFields, ['f:spec', 'f:rules']),
    writerOf(canary.metadata.managedFields, ['f:spec', 'f:rules']),
  ];
  return writers.find((writer) => writer !== undefined && writer !== fieldManager) ?? fieldManager;
}

function versionsOf({ main, canary }: Pair): readonly (string | undefined)[] {
  return [main.metadata.resourceVersion, canary.metadata.resourceVersion];
}

async function readObjects(target: IngressNginxTarget, signal: AbortSignal): Promise<Pair> {
  const [main, canary] = await Promise.all([
    readObject(target, target.main, signal),
    readObject(target, target.canary, signal),
  ]);
  return { main, canary };
}

function placeOf({ client }: IngressNginxTarget, name: string): Place {
  return { client, kind: kinds.Ingress, name };
}

function readObject(target: IngressNginxTarget, name: string, signal: AbortSignal): Promise<KubeObject & Ingress> {
  return readRouteObject(placeOf(target, name), 'ingress', signal);
}

/** The canary first: what main's new lane needs of it is there before main changes. */
async function patchPair(
  target: IngressNginxTarget,
  { main, canary }: Pair,
  state: PairState,
  signal: AbortSignal,
): Promise<'written' | 'conflict'> {
  const fence = target.fence();
  const first = await patch(target, target.canary, canaryPatch(canary, state, fence, target.names), signal);
  return first === 'conflict' ? first : patch(target, target.main, mainPatch(main, state, fence, target.names), signal);
}

async function patch(
  target: IngressNginxTarget,
  name: string,
  steps: readonly PatchStep[],
  signal: AbortSignal,
): Promise<'written' | 'conflict'> {
  if (steps.length === 0) return 'written';
  return patchRouteObject(placeOf(target, name), steps, (found, cause) => refused(target, found, cause), signal);
}

function refused(
  { client: { namespace }, main, canary }: IngressNginxTarget,
  found: string,
  cause?: unknown,
): HeadgateError {
  return new HeadgateError(
    'TRAFFIC_WRITE_REFUSED',
    `Cannot write ingresses ${namespace}/${main} and ${canary} as every write must be taken and come into force: current value is ${JSON.stringify(found)}`,
    { hint: `run \`kubectl auth can-i patch ingresses/${main} -n ${namespace}\` and \`headgate doctor\``, cause },
  );
}
