import type { Lane } from '../lane.ts';
import { sameWeights } from '../lane.ts';
import { connectionCommands } from './connections.ts';
import { labelCommands } from './labels.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import { wantedPins } from './pins.ts';
import type { Command, Release } from './release.ts';
import { neededSizes, presentSizes, tooFew } from './sizes.ts';
import { isClosed, weightsAt } from './weights.ts';

/** How long a fence is set for; renewed at each look, so that a dead driver's fence lapses before messages age out. */
const fenceMs = 15_000;

/** Three times at the pace of a way back over a router that confirms in a second or two. */
const foughtMaxMs = 5_000;

/** After so long without a confirmed weight 0 the queue half goes by itself. */
const queueHalfAfterMs = 2_000;

/** What shall be in this phase, as far as the world is not seen to be so already. Asking twice is safe, a lost request is not. */
export function commandsOf(release: Release, look: Look): readonly Command[] {
  const { phase } = release.state;
  return [
    ...weightCommands(release, phase, look),
    ...laneCommands(release, phase, look),
    ...letGoCommands(release, phase, look),
    ...connectionCommands(release, phase, look),
    ...labelCommands(release, phase, look), // Last: nothing waits for what is only shown.
  ];
}

function weightCommands(release: Release, phase: Phase, look: Look): readonly Command[] {
  const weights = weightsAt(release, phase);
  const pins = wantedPins(release, phase, look);
  const leave = isLeftToOthers(release, phase, look);
  const commands: Command[] = [];
  // Another hand's weights are never confirmed, so even the right ones are written again.
  if (look.weights === undefined || look.writer !== undefined || !sameWeights(look.weights, weights)) {
    if (!leave) commands.push({ kind: 'setWeights', weights });
  }
  // Pins that cannot be seen may be wrong.
  if (look.weights === undefined || pins !== look.pins) {
    if (!leave || look.writer === undefined) commands.push({ kind: 'setPins', pins });
  }
  return commands;
}

/** Another hand on the weights is never fought: a step is held, and a rollback writes for some seconds and then calls for a person. */
function isLeftToOthers({ plan }: Release, phase: Phase, look: Look): boolean {
  if (look.weights === undefined || plan.raisedWeight !== 'hold') return false;
  if (phase.kind === 'holding') return true;
  const goesBack = phase.kind === 'rollingBack' || phase.kind === 'returning';
  return goesBack && look.writer !== undefined && look.now - phase.since > foughtMaxMs;
}

function laneCommands(release: Release, phase: Phase, look: Look): readonly Command[] {
  switch (phase.kind) {
    case 'closing':
      return [...adoptLeftovers(release, look), ...migrateCommands(release, look)];
    case 'starting':
      return startCommands(release, look);
    case 'rollingBack':
      return backCommands(release, phase, look);
    case 'settling':
    case 'holding':
    case 'promoting':
      return [...growCommands(release, look), ...keepCommands(release, look)];
    case 'returning':
    case 'comparing':
    case 'watching':
    case 'interrupted':
    case 'promoted':
    case 'retired':
    case 'rolledBack':
      return [];
    case 'retiring':
      return retireCommands(release, phase, look);
  }
}

function adoptLeftovers({ former, candidate, plan }: Release, look: Look): readonly Command[] {
  const left = look.lanes[candidate].queue?.messages ?? 0;
  return plan.queue && former !== undefined && left > 0 ? sources(look, former, [former, candidate]) : [];
}

function migrateCommands({ plan, candidate }: Release, { migration }: Look): readonly Command[] {
  return plan.migrate !== undefined && migration?.kind === 'absent' ? [{ kind: 'migrate', lane: candidate }] : [];
}

function startCommands(release: Release, look: Look): readonly Command[] {
  const { candidate, former, plan, revision } = release;
  const queue = plan.queue
    ? [...sources(look, candidate, [candidate]), ...(former === undefined ? [] : sources(look, former, [former]))]
    : [];
  const seen = look.lanes[candidate].workload;
  const set: Command[] = seen?.revision === revision.id ? [] : [{ kind: 'setRevision', lane: candidate }];
  const up = seen !== undefined && seen.revision === revision.id && seen.proxies.complete && seen.workers.complete;
  const fence: Command[] =
    (look.lanes[candidate].queue?.fencedMs ?? 0) > 200 ? [{ kind: 'unfence', lane: candidate }] : [];
  return [
    ...queue,
    ...fence,
    ...set,
    ...(up
      ? growCommands(release, look)
      : [{ kind: 'scale', lane: candidate, replicas: neededSizes(release) } as const]),
  ];
}

/** Live has grown since the candidate started: it must be as large before it gets all traffic. */
function growCommands(release: Release, look: Look): readonly Command[] {
  const { candidate } = release;
  const seen = look.lanes[candidate].workload;
  if (seen === undefined || tooFew(release, seen, 100).length === 0) return [];
  return [{ kind: 'scale', lane: candidate, replicas: neededSizes(release) }];
}

/** An autoscaler sees less load on a lane that users are leaving, and would take away what the way back needs. */
function keepCommands(release: Release, look: Look): readonly Command[] {
  const { former } = release;
  const seen = former === undefined ? undefined : look.lanes[former].workload;
  if (former === undefined || seen?.autoscaler !== 'free') return [];
  return [{ kind: 'keep', lane: former, replicas: presentSizes(release, seen) }];
}

/** A lane with all users may shrink again as its owner says, once it works off no other lane's messages. */
function letGoCommands({ state: { live }, plan }: Release, phase: Phase, look: Look): readonly Command[] {
  if (live === undefined || look.lanes[live].workload?.autoscaler !== 'held') return [];
  switch (phase.kind) {
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'returning':
      return [];
    case 'rollingBack':
      return phase.stage === (plan.queue ? 'unbinding' : 'retiring') ? [{ kind: 'letGo', lane: live }] : [];
    case 'closing':
    case 'starting':
    case 'interrupted':
    case 'watching':
    case 'promoted':
    case 'retiring':
    case 'retired':
    case 'rolledBack':
      return [{ kind: 'letGo', lane: live }];
  }
}

/** Live takes over the candidate's messages, whatever share of requests the candidate still gets. */
export function queueHalf({ candidate, former, plan }: Release, look: Look): readonly Command[] {
  if (!plan.queue || former === undefined) return [];
  return [...sources(look, candidate, []), ...sources(look, former, [former, candidate])];
}

function backCommands(
  release: Release,
  phase: Extract<Phase, { kind: 'rollingBack' }>,
  look: Look,
): readonly Command[] {
  const { candidate, former, plan } = release;
  const none = Object.fromEntries(Object.keys({ ...plan.proxies, ...plan.workers }).map((name) => [name, 0]));
  if (!plan.queue || former === undefined)
    return phase.stage === 'retiring' ? [{ kind: 'scale', lane: candidate, replicas: none }] : [];
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
      return [...adopt, fence, ...stopAgain(release, look), ...keepCommands(release, look)];
    case 'draining':
      return [
        ...adopt,
        ...stopAgain(release, look),
        ...((look.lanes[candidate].queue?.fencedMs ?? 1_000) > 200
          ? [{ kind: 'unfence', lane: candidate } as const]
          : []),
      ];
    case 'disposing':
      return [
        { kind: 'disposeDead', lane: candidate, upToStreamSeq: look.lanes[candidate].queue?.deliveredStreamSeq ?? 0 },
      ];
    case 'retiring':
      return [{ kind: 'scale', lane: candidate, replicas: none }];
    case 'emptying':
      // A fence that lapsed by itself would stay behind in the consumer's config.
      return [{ kind: 'unfence', lane: candidate }];
    case 'unbinding':
      return sources(look, former, [former]);
  }
}

/** Workers that were not seen to go may have been told in vain, and keep the messages that they hold from live. */
function stopAgain({ candidate, plan }: Release, look: Look): readonly Command[] {
  const present = look.lanes[candidate].workload?.workers.present ?? 0;
  return present > 0 ? [{ kind: 'scale', lane: candidate, replicas: zero(plan.workers) }] : [];
}

function retireCommands(
  { former, plan }: Release,
  phase: Extract<Phase, { kind: 'retiring' }>,
  look: Look,
): readonly Command[] {
  if (former === undefined) return [];
  switch (phase.stage) {
    case 'proxies':
      if (!isClosed(former, look)) return [];
      return [{ kind: 'scale', lane: former, replicas: zero(plan.proxies) }];
    case 'draining': {
      const queue = look.lanes[former].queue;
      return queue?.drained === true && queue.dead > 0
        ? [{ kind: 'disposeDead', lane: former, upToStreamSeq: queue.deliveredStreamSeq }]
        : [];
    }
    case 'workers':
      return [{ kind: 'scale', lane: former, replicas: zero({ ...plan.proxies, ...plan.workers }) }];
  }
}

function sources(look: Look, lane: Lane, wanted: readonly Lane[]): readonly Command[] {
  const seen = look.lanes[lane].queue?.sources;
  const same = seen?.length === wanted.length && wanted.every((source) => seen.includes(source));
  return same ? [] : [{ kind: 'setSources', lane, sources: wanted }];
}

function zero(sizes: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(sizes).map((name) => [name, 0]));
}
