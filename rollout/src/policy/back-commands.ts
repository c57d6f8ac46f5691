import type { Instant, Lane } from '../lane.ts';
import type { Adoption } from '../spec.ts';
import type { Look } from './look.ts';
import type { BackStage, Phase } from './phase.ts';
import type { Command, Plan, Release } from './release.ts';
import { presentSizes } from './sizes.ts';
import { isClosed } from './weights.ts';

/** What is done on the way back, stage by stage; when a stage is over is in back.ts. */

type Back = Extract<Phase, { kind: 'rollingBack' }>;
type WithLive = Release & { readonly former: Lane };

/** How long a fence is set for; renewed at each look, so that a dead driver's fence lapses before messages age out. */
const fenceMs = 15_000;

/** After so long the fence goes, whatever instances are still listed: late and perhaps to a zombie is better than lost. */
export const fenceMaxMs = 20_000;

/** After so long without a confirmed weight 0 the queue half goes by itself. */
const queueHalfAfterMs = 2_000;

/** Live takes over the candidate's messages, whatever share of requests the candidate still gets. */
export function queueHalf({ candidate, former, plan }: Release, look: Look): readonly Command[] {
  if (!plan.queue || former === undefined || plan.adopt !== 'bind') return [];
  return [...sources(look, candidate, []), ...sources(look, former, [former, candidate])];
}

export function backCommands(release: Release, phase: Back, look: Look): readonly Command[] {
  const { former, plan } = release;
  if (!plan.queue || former === undefined) return phase.stage === 'retiring' ? [stopped(release)] : [];
  switch (adoptionOf(release, phase)) {
    case 'bind':
      return bindCommands({ ...release, former }, phase, look);
    case 'redeploy':
      return redeployCommands({ ...release, former }, phase, look);
    case 'answer':
      return answerCommands(release, phase.stage, look);
  }
}

/** How the messages are taken over, now that it is known whether live's workers do. */
export function adoptionOf({ plan }: Release, { lentAt }: Back): Adoption {
  return lentAt === undefined ? plan.adopt : 'redeploy';
}

function bindCommands(release: WithLive, phase: Back, look: Look): readonly Command[] {
  const { candidate, former, plan } = release;
  const adopt = sources(look, former, [former, candidate]);
  const starve = sources(look, candidate, []);
  const fence: Command = { kind: 'fence', lane: candidate, forMs: fenceMs };
  switch (phase.stage) {
    case 'closing':
      return look.now - phase.since >= queueHalfAfterMs ? queueHalf(release, look) : [];
    case 'fencing':
      return [...starve, fence];
    case 'stopping':
      return [fence, { kind: 'scale', lane: candidate, replicas: zero(plan.workers) }];
    case 'binding':
      return [
        ...adopt,
        ...fenceWhile(release, phase, look),
        ...stopAgain(release, look),
        ...keepCommands(release, look),
      ];
    case 'draining':
      return [
        ...adopt,
        ...stopAgain(release, look),
        ...((look.lanes[candidate].queue?.fencedMs ?? 1_000) > 200
          ? [{ kind: 'unfence', lane: candidate } as const]
          : []),
        ...deadLetters(candidate, look),
      ];
    case 'retiring':
      return [stopped(release)];
    case 'emptying':
      // A fence that lapsed by itself would stay behind in the consumer's config.
      return [{ kind: 'unfence', lane: candidate }];
    case 'unbinding':
      return sources(look, former, [former]);
    case 'answering':
      return [];
  }
}

/** The driver stands in for workers that there must be none of: each message is copied, answered and deleted by its own hand. */
function answerCommands(release: Release, stage: BackStage, look: Look): readonly Command[] {
  const { candidate, plan } = release;
  const fence: Command = { kind: 'fence', lane: candidate, forMs: fenceMs };
  switch (stage) {
    case 'fencing':
      return [...sources(look, candidate, []), fence];
    case 'stopping':
      return [fence, { kind: 'scale', lane: candidate, replicas: zero(plan.workers) }];
    case 'answering':
      return [fence, ...stopAgain(release, look), ...answered(candidate, look)];
    case 'retiring':
      return [stopped(release)];
    case 'emptying':
      return [{ kind: 'unfence', lane: candidate }];
    case 'closing':
    case 'binding':
    case 'draining':
    case 'unbinding':
      return [];
  }
}

/** What came since this look is left for the next one. */
export function answered(lane: Lane, look: Look): readonly Command[] {
  const { messages, lastSeq } = look.lanes[lane].queue ?? { messages: 0, lastSeq: 0 };
  return messages > 0 ? [{ kind: 'answerLeft', lane, upToStreamSeq: lastSeq }] : [];
}

/** What an earlier release left, once nobody gets it any more: a worker that stands in for a lost instance is not waited for longer than a fence. */
export function answerLeftovers({ candidate, former, plan }: WithLive, since: Instant, look: Look): readonly Command[] {
  const taken = [...sources(look, former, [former]), ...sources(look, candidate, [])];
  const { workload } = look.lanes[candidate];
  const isGone = workload?.workers.present === 0 || look.now - since >= fenceMaxMs;
  const left = taken.length === 0 && isGone && isClosed(candidate, look) ? answered(candidate, look) : [];
  const stop: Command = { kind: 'scale', lane: candidate, replicas: zero(plan.workers) };
  return [
    ...taken,
    { kind: 'fence', lane: candidate, forMs: fenceMs },
    ...(workload?.workers.present === 0 ? [] : [stop]),
    ...left,
  ];
}

function stopped({ candidate, plan }: Release): Command {
  return { kind: 'scale', lane: candidate, replicas: zero({ ...plan.proxies, ...plan.workers }) };
}

/**
 * As with a source list, but that the lane keeps workers, which are live's, until it is empty. Each lane's workers pull from their own,
 * whatever they were told before, should they follow a list.
 */
function redeployCommands(release: WithLive, phase: Back, look: Look): readonly Command[] {
  const { candidate, former, plan } = release;
  const fence: Command = { kind: 'fence', lane: candidate, forMs: fenceMs };
  const apart = [...sources(look, candidate, [candidate]), ...sources(look, former, [former])];
  switch (phase.stage) {
    case 'closing':
      return [];
    case 'fencing':
      return [fence];
    case 'stopping':
      return [fence, { kind: 'scale', lane: candidate, replicas: zero(plan.workers) }];
    case 'binding':
      return [...apart, ...fenceWhile(release, phase, look), ...redeployed(candidate, plan)];
    case 'draining':
      return [...apart, ...letThrough(candidate, look), ...deadLetters(candidate, look)];
    case 'retiring':
      return [{ kind: 'scale', lane: candidate, replicas: zero(plan.proxies) }];
    case 'emptying':
      return [{ kind: 'unfence', lane: candidate }];
    case 'unbinding':
      return [...apart, { kind: 'scale', lane: candidate, replicas: zero({ ...plan.workers, ...workersOf(plan) }) }];
    case 'answering':
      return [];
  }
}

/** Renewed only for so long: after that whoever takes the messages shall have them. */
function fenceWhile({ candidate }: Release, { fencedAt }: Back, look: Look): readonly Command[] {
  const isOver = fencedAt !== undefined && look.now - fencedAt >= fenceMaxMs;
  return isOver ? letThrough(candidate, look) : [{ kind: 'fence', lane: candidate, forMs: fenceMs }];
}

/** As many as live's revision has. */
export function redeployed(lane: Lane, plan: Plan): readonly Command[] {
  return [{ kind: 'redeploy', lane, replicas: workersOf(plan) }];
}

function workersOf({ redeploy }: Plan): Readonly<Record<string, number>> {
  const workers = Object.entries(redeploy?.template.services ?? {}).filter(([, { port }]) => port === undefined);
  return Object.fromEntries(workers.map(([name, { replicas }]) => [name, replicas]));
}

export function letThrough(lane: Lane, look: Look): readonly Command[] {
  return (look.lanes[lane].queue?.fencedMs ?? 0) > 200 ? [{ kind: 'unfence', lane }] : [];
}

/** What nobody will get any more, as soon as it is seen: who waited until all else is done might find that it has expired. */
export function deadLetters(lane: Lane, look: Look): readonly Command[] {
  const { dead, deliveredStreamSeq } = look.lanes[lane].queue ?? { dead: 0, deliveredStreamSeq: 0 };
  return dead > 0 ? [{ kind: 'disposeDead', lane, upToStreamSeq: deliveredStreamSeq }] : [];
}

/** Workers that were not seen to go may have been told in vain, and keep the messages that they hold from live. */
function stopAgain({ candidate, plan }: Release, look: Look): readonly Command[] {
  const present = look.lanes[candidate].workload?.workers.present ?? 0;
  return present > 0 ? [{ kind: 'scale', lane: candidate, replicas: zero(plan.workers) }] : [];
}

/** An autoscaler sees less load on a lane that users are leaving, and would take away what the way back needs. */
export function keepCommands(release: Release, look: Look): readonly Command[] {
  const { former } = release;
  const seen = former === undefined ? undefined : look.lanes[former].workload;
  if (former === undefined || seen === undefined) return [];
  if (seen.autoscaler !== 'free' && seen.autoscaler !== 'lowered') return [];
  return [{ kind: 'keep', lane: former, replicas: presentSizes(release, seen) }];
}

export function sources(look: Look, lane: Lane, wanted: readonly Lane[]): readonly Command[] {
  const seen = look.lanes[lane].queue?.sources;
  const same = seen?.length === wanted.length && wanted.every((source) => seen.includes(source));
  return same ? [] : [{ kind: 'setSources', lane, sources: wanted }];
}

export function zero(sizes: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(sizes).map((name) => [name, 0]));
}
