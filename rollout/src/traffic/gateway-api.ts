/**
 * Weights and pins of an HTTPRoute: one that Headgate made, or a user's own. Only what is ours in it is ever written, by JSON Patch that
 * tests resourceVersion and backend names, so that nothing is written over unseen.
 *
 * The gateway's status says that a controller has read the route, and nothing of the data plane. So each replica is asked for the mark
 * (gateway-api/route.ts), and a lane at weight 0 counts as closed when nothing was counted for it in the last 2 s (gateway-api/closed.ts).
 */
import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import { type KubeClient, type KubeObject, type PatchStep, pointer } from '../platform/kubernetes/client.ts';
import { refuseReplaced } from '../platform/kubernetes/fence.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { type ClosedBy, watchClosed } from './gateway-api/closed.ts';
import { markIn, markOf, markPath, type RouteNames, type Split } from './gateway-api/own-rules.ts';
import { changeOf, type RouteChange, type RouteRead, readRoute, type Said } from './gateway-api/route.ts';
import { refusalOf } from './gateway-api/status.ts';
import { hostHeader } from './host-header.ts';
import type { HttpRoute } from './http-route.ts';
import type { Replica } from './replicas.ts';
import { type Place, patchRouteObject, readRouteObject } from './route-object.ts';
import type { TrafficDone, TrafficRouter, TrafficSeen } from './traffic.ts';
import { checkSplit } from './weights.ts';
import { fieldManager, writerOf } from './writer.ts';

export type GatewayApiTarget = {
  /** In the route's namespace. */
  readonly client: KubeClient;
  /** Name of the HTTPRoute. */
  readonly route: string;
  readonly names: RouteNames;
  /** The driver's number in the journal; every write carries it. */
  readonly fence: () => number;
  /** All replicas of the data plane. */
  readonly replicas: (signal: AbortSignal) => Promise<readonly Replica[]>;
  readonly closedBy: ClosedBy;
};

/** Every replica of a gateway may write the status in between, and the resourceVersion with it. */
const writesMax = 20;
const replicaMaxMs = 1_000;

export function openGatewayApiTraffic(target: GatewayApiTarget): TrafficRouter {
  const { names, fence } = target;
  const whyOpen = watchClosed(target.closedBy);
  let last: Split | undefined;

  async function write(wanted: Partial<Said>, signal: AbortSignal): Promise<TrafficDone> {
    for (let n = 0; n < writesMax; n++) {
      const route = await readObject(target, signal);
      const said = saidWith(target, readRoute(route, names), wanted);
      const changed = changeOf(route, said, names);
      if (changed.kind === 'unsupported') return changed;
      const steps = stepsOf(route, changed.change);
      if (steps.length > 0 && (await patch(target, steps, signal)) === 'conflict') continue;
      last = said;
      return { kind: 'done' };
    }
    throw refused(target, `${writesMax} times somebody else wrote it in between`);
  }

  /** What the route itself says against an agreement, before any replica is heard. */
  function objection({ metadata }: HttpRoute, read: RouteRead): TrafficSeen | undefined {
    if (read.kind !== 'read') return pending(read.why);
    const manager = writerOf(metadata.managedFields, ['f:spec', 'f:rules']) ?? fieldManager;
    const isForeign = manager !== fieldManager && (last === undefined || !saysSame(read, last));
    // A route that no driver of ours has ever written is not taken from anybody.
    if (isForeign && (last !== undefined || read.fence !== undefined))
      return { kind: 'foreign', weights: read.weights, pins: read.pins, manager };
    if (read.fence === undefined) return pending('Headgate has not written the route yet');
    if (read.fence !== fence()) return pending(`driver ${read.fence} has written the route, and this is ${fence()}`);
    return read.whole ? undefined : pending('mark and pins of the route are not those of its weights');
  }

  return {
    async setWeights(weights, signal) {
      signal.throwIfAborted();
      checkSplit(weights);
      return write({ weights }, signal);
    },
    async setPins(pins, signal) {
      signal.throwIfAborted();
      return write({ pins }, signal);
    },
    async observe(signal) {
      signal.throwIfAborted();
      const [route, replicas] = await Promise.all([readObject(target, signal), target.replicas(signal)]);
      const read = readRoute(route, names);
      const headers = hostHeader(route.spec.hostnames?.[0]);
      // Counted at every look, or the 2 s would begin with the first one at which all else is well. The mark reaches no lane.
      const [open, looks] = await Promise.all([
        whyOpen(read, replicas, signal),
        Promise.all(replicas.map((replica) => lookAt(replica, target, headers, signal))),
      ]);
      signal.throwIfAborted();
      return objection(route, read) ?? pendingOn(refusalOf(route)) ?? agree(read, looks, open);
    },
  };
}

function pending(why: string): TrafficSeen {
  return { kind: 'pending', why };
}

function pendingOn(why: string | undefined): TrafficSeen | undefined {
  return why === undefined ? undefined : pending(why);
}

type Look = {
  readonly name: string;
  /** `undefined`: it did not answer, or not as the mark's rule does. */
  readonly mark: string | undefined;
  readonly failure: string | undefined;
};

/** What one replica does now. A replica that cannot be asked is an outcome: nothing is confirmed without it. */
async function lookAt(
  replica: Replica,
  { names }: GatewayApiTarget,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Look> {
  const asked = { path: markPath(names.app), headers };
  return replica.get(asked, withDeadline(signal, replicaMaxMs)).then(
    (answer) => ({ name: replica.name, mark: markIn(answer.headers.location), failure: undefined }),
    (error: unknown) => ({ name: replica.name, mark: undefined, failure: String(error) }),
  );
}

function agree(read: RouteRead, looks: readonly Look[], open: string | undefined): TrafficSeen {
  if (read.kind !== 'read') return pending(read.why);
  if (looks.length === 0) return pending('no replica of the gateway was found');
  const silent = looks.find(({ failure }) => failure !== undefined);
  if (silent !== undefined) return pending(`replica ${silent.name} of the gateway does not answer: ${silent.failure}`);
  const behind = looks.filter(({ mark }) => mark !== markOf(read)).map(({ name }) => name);
  if (behind.length > 0) return pending(`not yet in replica ${behind.join(', ')} of the gateway`);
  return pendingOn(open) ?? { kind: 'agreed', weights: read.weights, pins: read.pins };
}

function saysSame(read: Split, last: Split): boolean {
  return markOf(read) === markOf(last);
}

/** What the route shall say, with what it says now in all that is not asked for. */
function saidWith(target: GatewayApiTarget, read: RouteRead, wanted: Partial<Said>): Said {
  if (read.kind === 'unfit') throw refused(target, read.why);
  const fence = target.fence();
  refuseReplaced(`HTTPRoute ${target.client.namespace}/${target.route}`, read.fence, fence);
  const weights = wanted.weights ?? (read.kind === 'read' ? read.weights : undefined);
  if (weights === undefined) throw refused(target, read.kind === 'astray' ? read.why : 'no weights');
  return { weights, pins: wanted.pins ?? read.pins, fence };
}

function stepsOf({ metadata }: HttpRoute, change: RouteChange): readonly PatchStep[] {
  const steps = [
    ...change.backends.flatMap(({ rule, backend, name, weight }): PatchStep[] => {
      const path = pointer('spec', 'rules', rule, 'backendRefs', backend);
      return [
        { op: 'test', path: `${path}/name`, value: name },
        { op: 'add', path: `${path}/weight`, value: weight },
      ];
    }),
    ...change.remove.map((place): PatchStep => ({ op: 'remove', path: pointer('spec', 'rules', place) })),
    ...change.append.map((value): PatchStep => ({ op: 'add', path: pointer('spec', 'rules', '-'), value })),
    ...annotate(metadata.annotations, change.annotations),
  ];
  if (steps.length === 0) return [];
  return [{ op: 'test', path: pointer('metadata', 'resourceVersion'), value: metadata.resourceVersion }, ...steps];
}

function annotate(
  before: Readonly<Record<string, string>> | undefined,
  changed: Readonly<Record<string, string>>,
): readonly PatchStep[] {
  const steps = Object.entries(changed).map(
    ([key, value]): PatchStep => ({ op: 'add', path: pointer('metadata', 'annotations', key), value }),
  );
  if (before !== undefined || steps.length === 0) return steps;
  return [{ op: 'add', path: pointer('metadata', 'annotations'), value: {} }, ...steps];
}

function placeOf({ client, route }: Pick<GatewayApiTarget, 'client' | 'route'>): Place {
  return { client, kind: kinds.HTTPRoute, name: route };
}

function readObject(target: GatewayApiTarget, signal: AbortSignal): Promise<KubeObject & HttpRoute> {
  return readRouteObject(placeOf(target), 'route', signal);
}

function patch(
  target: GatewayApiTarget,
  steps: readonly PatchStep[],
  signal: AbortSignal,
): Promise<'written' | 'conflict'> {
  return patchRouteObject(placeOf(target), steps, (found, cause) => refused(target, found, cause), signal);
}

function refused(
  { client, route }: Pick<GatewayApiTarget, 'client' | 'route'>,
  found: string,
  cause?: unknown,
): HeadgateError {
  const { namespace } = client;
  return new HeadgateError(
    'TRAFFIC_WRITE_REFUSED',
    `Cannot write HTTPRoute ${namespace}/${route} as the API server must take it: current value is ${JSON.stringify(found)}`,
    { hint: `run \`kubectl auth can-i patch httproutes/${route} -n ${namespace}\` and \`headgate doctor\``, cause },
  );
}
