import { instant } from '../lane.ts';
import type { Look } from './look.ts';
import { elapsedMs, go, type Next, starved, stay, unconfirmed, unreadyFor } from './next.ts';
import { writtenByOthers } from './others.ts';
import type { Phase, Reason } from './phase.ts';
import type { Release } from './release.ts';
import { isClosed, isOpen } from './weights.ts';

type AfterPhase = Extract<Phase, { kind: 'watching' | 'promoted' | 'retiring' | 'retired' | 'rolledBack' }>;

/** From the promotion to the end: the watch, the warm lane, and its way to zero. */
export function afterNext(release: Release, phase: AfterPhase, look: Look): Next {
  switch (phase.kind) {
    case 'watching':
      return watch(release, phase, look);
    case 'promoted':
      return release.former !== undefined && look.now >= phase.warmUntil
        ? go({ kind: 'retiring', stage: 'proxies', since: look.now }, 'keepWarm is over')
        : stay(phase, 'bake', 'the former lane is kept warm');
    case 'retiring':
      return retire(release, phase, look);
    case 'retired':
    case 'rolledBack':
      return { phase, why: 'the release has ended', hold: undefined };
  }
}

function watch(release: Release, phase: Extract<Phase, { kind: 'watching' }>, look: Look): Next {
  const reason = returnReason(release, look);
  if (reason !== undefined && release.former !== undefined) {
    if (!look.lanes[release.former].stands)
      return stay(phase, 'both-lanes-down', `${reason.text}, but the former lane is down too`);
    return go({ kind: 'returning', reason, since: look.now }, reason.text);
  }
  const others = writtenByOthers(release, phase, look);
  if (others !== undefined) return stay(phase, 'foreign-writer', others);
  const leftMs = release.plan.watchMs - elapsedMs(phase.since, look);
  if (leftMs > 0) return stay(phase, 'bake', `watched against history for ${Math.ceil(leftMs / 1000)} s more`);
  const warmUntil = instant(phase.since + release.plan.keepWarmMs);
  return go({ kind: 'promoted', since: look.now, warmUntil }, 'the watch has ended well');
}

function returnReason(release: Release, look: Look): Reason | undefined {
  if (look.evidence.verdict === 'rollback') return { kind: 'verdict', text: look.evidence.text };
  const seen = look.weights?.[release.candidate];
  if (seen !== undefined && seen < 100)
    return { kind: 'lowered', text: `somebody set the new version from 100 % to ${seen} % outside Headgate` };
  if (look.lanes[release.candidate].downMs < 1_000) return starved(release, look);
  return unreadyFor('the new version', look.lanes[release.candidate]);
}

function retire(release: Release, phase: Extract<Phase, { kind: 'retiring' }>, look: Look): Next {
  const { former } = release;
  const lane = former === undefined ? undefined : look.lanes[former];
  const mayStop = former === undefined || (phase.stage === 'proxies' ? isClosed(former, look) : !isOpen(former, look));
  if (!mayStop) return unconfirmed(release, phase, look, 'the router is not seen to leave the former lane alone');
  if (lane?.workload === undefined) return stay(phase, 'workload-unseen', 'the former lane cannot be seen');
  switch (phase.stage) {
    case 'proxies':
      if (lane.workload.proxies.present > 0)
        return stay(phase, 'leftovers', "the former lane's proxies finish what is in flight");
      return go(
        { kind: 'retiring', stage: release.plan.queue ? 'draining' : 'workers', since: look.now },
        'the proxies are gone',
      );
    case 'draining':
      if (lane.queue === undefined || !lane.queue.drained || lane.queue.dead > 0)
        return stay(phase, 'leftovers', 'the former lane works off what it still has');
      return go({ kind: 'retiring', stage: 'workers', since: look.now }, 'the former lane is empty');
    case 'workers':
      if (lane.workload.workers.present > 0) return stay(phase, 'leftovers', "the former lane's workers are stopping");
      return go({ kind: 'retired', since: look.now }, 'the former lane is at zero');
  }
}
