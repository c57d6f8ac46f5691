import type { Prime, Sample, Slow } from '../judge/sample.ts';
import { type Instant, type Lane, otherLane } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import type { Release } from '../policy/release.ts';
import type { LaneSlow, SlowLook, SlowSeen } from './slow-look.ts';

/** What the judge may count on in this release, and what is known of live's past. */
export type Expected = {
  readonly tells: readonly Slow[];
  readonly past: Pick<Prime, 'latency' | 'ackTime'> | undefined;
};

/**
 * What live can tell beside the counts: the judge asks for it from the start, and holds when it is missing later. What
 * could not be read now is expected, because a release must not become less strict by a bad moment.
 */
export async function expectedOf(
  { processes }: Pick<Platform, 'processes'>,
  slow: SlowLook,
  { former, plan }: Release,
  { at, signal }: { readonly at: Instant; readonly signal: AbortSignal },
): Promise<Expected> {
  if (processes === undefined || former === undefined || plan.strategy !== 'canary')
    return { tells: [], past: undefined };
  const seen = await slow.fresh(at, signal);
  if (seen === undefined) return { tells: plan.queue ? ['latency', 'ackTime', 'flow'] : ['latency'], past: undefined };
  const { latency, ackTime } = seen.past[former];
  const past = {
    latency: latency.length === 0 ? undefined : { seconds: 0, live: latency },
    ackTime: ackTime.length === 0 ? undefined : { seconds: 0, live: ackTime },
  };
  return { tells: seen.tells[former], past };
}

/** Before the candidate has weight, all that live says is the past. */
export function primesOf(seen: SlowSeen | undefined, candidate: Lane): Pick<Prime, Slow> {
  const live = seen?.lanes?.[otherLane(candidate)];
  const of = <T>(told: T | undefined) =>
    seen === undefined || told === undefined || seen.seconds <= 0 ? undefined : { seconds: seen.seconds, live: told };
  return { latency: of(live?.latency), ackTime: of(live?.ackTime), flow: of(live?.flow) };
}

/** Both lanes by role; a source that either does not tell is `undefined`. */
export function partsOf(seen: SlowSeen | undefined, candidate: Lane): Pick<Sample, Slow> {
  return {
    latency: stretchOf(seen, 'latency', candidate),
    ackTime: stretchOf(seen, 'ackTime', candidate),
    flow: stretchOf(seen, 'flow', candidate),
  };
}

function stretchOf<Name extends Slow>(seen: SlowSeen | undefined, name: Name, candidate: Lane) {
  const live = seen?.lanes?.[otherLane(candidate)][name];
  const own = seen?.lanes?.[candidate][name];
  if (seen === undefined || live === undefined || own === undefined || seen.seconds <= 0) return undefined;
  type Told = NonNullable<LaneSlow[Name]>;
  return { seconds: seen.seconds, live: live as Told, candidate: own as Told }; // Neither is `undefined` here.
}
