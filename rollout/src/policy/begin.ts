import type { Instant, Lane } from '../lane.ts';
import { firstLane, otherLane } from '../lane.ts';
import type { ExistingQueue, ReleaseSpec, Spec } from '../spec.ts';
import { standsTo } from './ancestry.ts';
import { completed } from './complete.ts';
import { warningOf } from './in-common.ts';
import { newestIn } from './newest.ts';
import { isOver } from './phase.ts';
import { pinsAtStart } from './pins.ts';
import type { Head, Order, Plan, Release, ReleaseRequest, Rolling } from './release.ts';

/** How a request for a release was taken. `text` is one sentence for the person who asked. */
export type Begun =
  | { readonly kind: 'begun'; readonly head: Head; readonly text: string }
  /** The revision is live, or a release of it runs already. */
  | { readonly kind: 'nothing'; readonly text: string }
  | { readonly kind: 'follow'; readonly release: number; readonly text: string }
  | { readonly kind: 'wait'; readonly text: string }
  | Refused;

/** What a release must know of all that is beside it. */
export type Around = Pick<Plan, 'raisedWeight' | 'adopt'>;

type Refused = { readonly kind: 'refused'; readonly code: 'REFUSED' | 'QUARANTINED'; readonly text: string };

/** The start checks must be done by then. */
const startMs = 120_000;

/** Begins what was ordered, or says why not now. What is begun leaves the queue. */
export function beginOrder(head: Head, order: Order, now: Instant): Begun {
  const { spec, restores } = order;
  const request = completed(head, order.request);
  // HAProxy says nothing of who wrote: there a raised weight can only be a dead driver's late write.
  const raisedWeight = spec.kubernetes === undefined ? 'overwrite' : 'hold';
  const around: Around = { raisedWeight, adopt: spec.queue?.adopt ?? 'bind' };
  if (head.rolling !== undefined) return refuseWhileRolling(head.rolling);
  const refused = refuseOrder(head, order);
  if (refused !== undefined) return refused;
  const taken = restores
    ? beginRestore(head, request, spec.release, around, now)
    : begin(head, request, spec.release, around, now);
  return taken.kind === 'begun' ? { ...taken, head: { ...taken.head, waiting: undefined, spec } } : taken;
}

/** Live is not what the journal says: nothing can be judged against it. */
function refuseWhileRolling({ id, revision }: Rolling): Begun {
  const text = `Cannot release as rolling update ${id} to revision ${revision.id.slice(0, 8)} has no end: \`headgate roll\` goes on, \`headgate rollback\` goes back`;
  return { kind: 'refused', code: 'REFUSED', text };
}

/** What no waiting changes: nobody drives, or rolls back, what runs for the sake of such an order. */
export function refuseOrder(head: Head, { spec, from }: Order): Refused | undefined {
  return refuseStale(head, from) ?? refuseRenamed(head, spec);
}

/** Whoever names a release goes back from that one, and from no other that came since. */
export function refuseStale(head: Head, from: number | undefined): Refused | undefined {
  const newest = newestIn(head);
  if (from === undefined || from === newest) return undefined;
  const text = `Cannot roll back release ${from} as it is not the current one: that is ${newest === undefined ? 'none' : `release ${newest}`}`;
  return { kind: 'refused', code: 'REFUSED', text };
}

/** A release and the way back from it go by the same names: whoever drives it must know no others. */
export function refuseRenamed({ release, lanes, spec: before }: Head, { queue }: Spec): Refused | undefined {
  const isInUse = lanes[firstLane] !== undefined || (release !== undefined && !isOver(release.state.phase));
  if (!isInUse || sameQueue(before?.queue?.existing, queue?.existing)) return undefined;
  const rule = `lane ${firstLane} must hold nothing, and no release run, when queue.existing changes`;
  const text = `Cannot release as ${rule}: current value is "${queue?.existing?.stream ?? 'nothing'}"`;
  return { kind: 'refused', code: 'REFUSED', text };
}

function sameQueue(a: ExistingQueue | undefined, b: ExistingQueue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const [known, written] = [Object.entries(a.consumers), Object.entries(b.consumers)];
  const same = known.every(([service, consumer]) => b.consumers[service] === consumer);
  return a.stream === b.stream && known.length === written.length && same;
}

/** Begins a release in the lane that is not live, or says why not now. */
export function begin(head: Head, request: ReleaseRequest, spec: ReleaseSpec, around: Around, now: Instant): Begun {
  const running = head.release === undefined || isOver(head.release.state.phase) ? undefined : head.release;
  // Live or not: in its watch it may still go back.
  if (running?.revision.id === request.revision.id) {
    return { kind: 'follow', release: running.id, text: `release ${running.id} of this revision is running already` };
  }
  const no = refusal(head, request);
  if (no !== undefined) return no;
  const strategy = strategyFor(head, spec);
  if (strategy === 'rolling') return refuseRolling(request);
  if (running !== undefined) return { kind: 'wait', text: `release ${running.id} is ${running.state.phase.kind}` };
  return begun(head, request, planFor(head, spec, strategy, request, around), now);
}

/** The way back after keepWarm: a revision that was live before, start checks, then 100 at once. */
function beginRestore(head: Head, request: ReleaseRequest, spec: ReleaseSpec, around: Around, now: Instant): Begun {
  const running = head.release !== undefined && !isOver(head.release.state.phase);
  if (running) return { kind: 'wait', text: `release ${head.release?.id} is still running` };
  if (head.live !== undefined && head.lanes[head.live]?.id === request.revision.id) {
    return { kind: 'nothing', text: `revision ${request.revision.id.slice(0, 8)} is live` };
  }
  const plan = planFor(head, spec, 'restore', request, around);
  return begun(head, request, { ...plan, keepWarmMs: plan.watchMs }, now);
}

/** The newest revision that was live before the present one and was not rolled back; `wanted` may name another by its first digits. */
export function revisionToRestore(head: Head, wanted: string | undefined): Head['revisions'][number] | undefined {
  const present = head.live === undefined ? undefined : head.lanes[head.live]?.id;
  const bad = new Set(head.quarantined.map(({ revision }) => revision));
  const candidates = head.revisions.filter(({ id }) => id !== present);
  return wanted === undefined
    ? candidates.findLast(({ id }) => !bad.has(id))
    : candidates.findLast(({ id }) => id.startsWith(wanted));
}

/** Why this revision is not to go live, whatever the way; `undefined`: nothing is known against it. */
export function refusal(
  head: Head,
  request: Pick<ReleaseRequest, 'revision' | 'insist' | 'ancestry' | 'reason'>,
): Begun | undefined {
  const { revision } = request;
  const name = revision.id.slice(0, 8);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  if (live?.id === revision.id) return { kind: 'nothing', text: `revision ${name} is live` };
  const quarantined = head.quarantined.find((entry) => entry.revision === revision.id);
  if (quarantined !== undefined && !request.insist) {
    const text = `Cannot release revision ${name} as release ${quarantined.release} rolled it back: ${quarantined.text}`;
    return { kind: 'refused', code: 'QUARANTINED', text };
  }
  const stands = standsTo(live?.commit, request.ancestry);
  if (live !== undefined && stands === 'older') {
    return {
      kind: 'refused',
      code: 'REFUSED',
      text: `Cannot release commit ${revision.commit?.slice(0, 8)} as it does not descend from the live one`,
    };
  }
  if (live !== undefined && stands === 'unknown' && request.reason === '') {
    return {
      kind: 'refused',
      code: 'REFUSED',
      text: 'Cannot release bare digests without a reason as no commit says how they relate to what is live',
    };
  }
  return undefined;
}

function strategyFor(head: Head, spec: ReleaseSpec): ReleaseSpec['strategy'] | 'first' {
  if (head.live === undefined) return 'first';
  return spec.strategy;
}

/** What is live is changed in place; the first revision ever, and the way back, go through the lanes. */
function refuseRolling({ revision }: ReleaseRequest): Begun {
  const text = `Cannot release revision ${revision.id.slice(0, 8)} beside what is live as the strategy is rolling: run \`headgate roll\``;
  return { kind: 'refused', code: 'REFUSED', text };
}

/** The one step of an A/B test is no weight at all. */
function stepsFor(strategy: Plan['strategy'], { steps }: ReleaseSpec): readonly number[] {
  if (strategy === 'ab') return [0];
  return strategy === 'canary' ? steps : [];
}

function planFor(
  { live, lanes }: Head,
  spec: ReleaseSpec,
  strategy: Plan['strategy'],
  { revision, deadLetterBacklog }: ReleaseRequest,
  around: Around,
): Plan {
  const services = Object.entries(revision.template.services);
  const liveServices = live === undefined ? {} : (lanes[live]?.template.services ?? {});
  const sizes = (isProxy: boolean) =>
    Object.fromEntries(
      services
        .filter(([, { port }]) => (port !== undefined) === isProxy)
        .map(([name, { replicas }]) => [name, replicas]),
    );
  return {
    strategy,
    steps: stepsFor(strategy, spec),
    pins: strategy === 'ab' ? spec.pins : [],
    bakeMs: spec.bakeMs,
    synthetic: spec.synthetic,
    deadlineMs: spec.deadlineMs,
    atDeadline: spec.atDeadline,
    watchMs: spec.watchMs,
    keepWarmMs: spec.keepWarmMs,
    connectionGraceMs: spec.connectionGraceMs,
    adopt: around.adopt,
    redeploy: live === undefined ? undefined : lanes[live],
    // What an earlier version needs was done when it was new.
    migrate: strategy === 'restore' ? undefined : spec.migrate,
    approve: spec.approve,
    startMs,
    proxies: sizes(true),
    workers: sizes(false),
    liveSizes: Object.fromEntries(Object.entries(liveServices).map(([name, { replicas }]) => [name, replicas])),
    queue: services.some(([, { pulls }]) => pulls.length > 0),
    deadLetterBacklog,
    raisedWeight: around.raisedWeight,
  };
}

function begun(head: Head, request: ReleaseRequest, plan: Plan, now: Instant): Begun {
  const candidate: Lane = head.live === undefined ? firstLane : otherLane(head.live);
  const release: Release = {
    id: head.nextRelease,
    revision: request.revision,
    candidate,
    former: head.live,
    formerRevision: head.live === undefined ? undefined : head.lanes[head.live]?.id,
    plan,
    actor: request.actor,
    reason: request.reason,
    startedAt: now,
    probe: request.probe,
    state: {
      phase: { kind: 'closing', since: now },
      live: head.live,
      peak: {},
      pins: pinsAtStart(head, plan, now),
      held: undefined,
    },
  };
  const warm =
    head.lanes[candidate] === undefined
      ? ''
      : '; it takes the warm lane, so the fast way back to the version before live ends';
  const warning = warningOf(head, request.revision);
  return {
    kind: 'begun',
    head: { ...head, release, nextRelease: head.nextRelease + 1 },
    text: `release ${release.id}: revision ${request.revision.id.slice(0, 8)} into lane ${candidate}, ${plan.strategy}${warm}${warning === undefined ? '' : `; ${warning}`}`,
  };
}
