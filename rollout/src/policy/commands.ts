import { type Instant, sameWeights } from '../lane.ts';
import {
  answered,
  answerLeftovers,
  backCommands,
  deadLetters,
  keepCommands,
  letThrough,
  redeployed,
  sources,
  zero,
} from './back-commands.ts';
import { connectionCommands } from './connections.ts';
import { labelCommands } from './labels.ts';
import type { Look } from './look.ts';
import { writtenByOthers } from './others.ts';
import type { Phase } from './phase.ts';
import { wantedPins } from './pins.ts';
import type { Command, Release } from './release.ts';
import { isHeld, neededSizes, tooFew } from './sizes.ts';
import { isClosed, isOpen, weightsAt } from './weights.ts';

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
  if (writtenByOthers(release, phase, look) !== undefined) return [];
  const weights = weightsAt(release, phase);
  const pins = wantedPins(release, phase, look);
  const commands: Command[] = [];
  // Another hand's weights are never confirmed, so even the right ones are written again.
  if (look.weights === undefined || look.writer !== undefined || !sameWeights(look.weights, weights))
    commands.push({ kind: 'setWeights', weights });
  // Pins that cannot be seen may be wrong.
  if (look.weights === undefined || pins !== look.pins) commands.push({ kind: 'setPins', pins });
  return commands;
}

function laneCommands(release: Release, phase: Phase, look: Look): readonly Command[] {
  switch (phase.kind) {
    case 'closing':
      return [...adoptLeftovers(release, phase.since, look), ...migrateCommands(release, look)];
    case 'starting':
      return startCommands(release, look);
    case 'rollingBack':
      // Whoever gives it users again would take them from live's workers, which answer for it by now.
      if (phase.stage === 'retiring' && isOpen(release.candidate, look)) return [];
      return backCommands(release, phase, look);
    case 'settling':
    case 'holding':
    case 'promoting':
      return [...growCommands(release, look), ...keepCommands(release, look)];
    case 'watching':
      return keepWarm(release, look);
    case 'returning':
    case 'comparing':
    case 'interrupted':
    case 'promoted':
    case 'retired':
    case 'rolledBack':
      return [];
    case 'retiring':
      return retireCommands(release, phase, look);
  }
}

function adoptLeftovers(release: Release, since: Instant, look: Look): readonly Command[] {
  const { former, candidate, plan } = release;
  const left = look.lanes[candidate].queue?.messages ?? 0;
  if (!plan.queue || former === undefined || left === 0) return [];
  if (plan.deadLetterBacklog === true) return answerLeftovers({ ...release, former }, since, look);
  const dead = deadLetters(candidate, look);
  if (plan.adopt === 'bind') return [...sources(look, former, [former, candidate]), ...dead];
  // A warm lane has workers of its own.
  if ((look.lanes[candidate].workload?.workers.present ?? 1) > 0) return dead;
  if (plan.adopt === 'answer') return isClosed(candidate, look) ? answered(candidate, look) : [];
  return [...redeployed(candidate, plan), ...letThrough(candidate, look), ...dead];
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
  return [
    ...queue,
    ...letThrough(candidate, look),
    ...set,
    ...(up
      ? growCommands(release, look)
      : [{ kind: 'scale', lane: candidate, replicas: neededSizes(release) } as const]),
  ];
}

/** Live has grown since the candidate started: it must be as large before it gets all traffic. So must its autoscaler let it be. */
function growCommands(release: Release, look: Look): readonly Command[] {
  const { candidate } = release;
  const seen = look.lanes[candidate].workload;
  if (seen === undefined) return [];
  if (seen.autoscaler !== 'lowered' && tooFew(release, seen, 100).length === 0) return [];
  return [{ kind: 'scale', lane: candidate, replicas: neededSizes(release) }];
}

/** It was held on its way to being warm. */
function keepWarm(release: Release, look: Look): readonly Command[] {
  const { former } = release;
  return former !== undefined && look.lanes[former].workload?.autoscaler === 'lowered'
    ? keepCommands(release, look)
    : [];
}

/** A lane with all users may shrink again as its owner says, once it works off no other lane's messages. */
function letGoCommands({ state: { live }, plan }: Release, phase: Phase, look: Look): readonly Command[] {
  const seen = live === undefined ? undefined : look.lanes[live].workload;
  if (live === undefined || seen === undefined || !isHeld(seen)) return [];
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

function retireCommands(
  { former, plan }: Release,
  phase: Extract<Phase, { kind: 'retiring' }>,
  look: Look,
): readonly Command[] {
  if (former === undefined || isOpen(former, look)) return [];
  switch (phase.stage) {
    case 'proxies':
      if (!isClosed(former, look)) return [];
      return [{ kind: 'scale', lane: former, replicas: zero(plan.proxies) }];
    case 'draining':
      return look.lanes[former].queue?.drained === true ? deadLetters(former, look) : [];
    case 'workers':
      return [{ kind: 'scale', lane: former, replicas: zero({ ...plan.proxies, ...plan.workers }) }];
  }
}
