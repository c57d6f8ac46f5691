import type { Instant } from '../lane.ts';
import { adoptionOf } from './back-commands.ts';
import { bindMaxMs, type Facts, isWorkedOff, stages } from './back-stages.ts';
import { drainMaxMs } from './drain.ts';
import { showsAdoption } from './labels.ts';
import type { Look, QueueLook } from './look.ts';
import { beginBack, elapsedMs, go, type Next, stay, unconfirmed } from './next.ts';
import { writtenByOthers } from './others.ts';
import type { BackStage, HoldReason, Phase } from './phase.ts';
import { isPinned } from './pins.ts';
import type { Release, ReleaseState } from './release.ts';
import { isHeld } from './sizes.ts';
import { confirmed } from './weights.ts';

type Back = Extract<Phase, { kind: 'rollingBack' }>;

/** The end of a release waits no longer for what is only shown. */
const labelPatienceMs = 5_000;
/** A weight 0 that is not confirmed for so long is a rollback that failed: somebody must be called. */
const failedMs = 15_000;

/** The candidate cannot be closed, or somebody else gives it users again in a later stage. */
export function isBackFailed({ phase }: ReleaseState, hold: HoldReason | undefined, now: Instant): boolean {
  if (phase.kind !== 'returning' && phase.kind !== 'rollingBack') return false;
  const isClosing = phase.kind === 'returning' || phase.stage === 'closing' || hold === 'foreign-writer';
  return isClosing && now - phase.since >= failedMs;
}

export function backNext(
  release: Release,
  phase: Extract<Phase, { kind: 'returning' | 'rollingBack' }>,
  look: Look,
): Next {
  const closing = phase.kind === 'returning' || phase.stage === 'closing';
  const open = !confirmed(release, phase, look) || isPinned(release.candidate, look);
  // In a later stage a blind moment is no news; a weight that is seen again (a dead driver's late write) is. One that somebody else
  // keeps there is lived with: live's workers must take over what still comes.
  const goesOn = isBeforeAdoption(phase) && writtenByOthers(release, phase, look) !== undefined;
  if (open && (closing || (look.weights !== undefined && !goesOn))) {
    return unconfirmed(release, phase, look, 'weight 0 for the candidate is not confirmed yet');
  }
  if (phase.kind === 'returning') {
    return go(nextStage(release, beginBack(phase.reason, look), look), 'the former lane has all traffic again');
  }
  return stageNext(release, phase, look);
}

function isBeforeAdoption(phase: Extract<Phase, { kind: 'returning' | 'rollingBack' }>): boolean {
  return phase.kind === 'rollingBack' && ['fencing', 'stopping', 'binding'].includes(phase.stage);
}

function stageNext(release: Release, phase: Back, look: Look): Next {
  const facts = factsOf(release, phase, look);
  const { lane } = facts;
  const stage = stages[phase.stage];
  if (phase.stage === 'binding' && isUnheard(facts))
    return go(
      { ...phase, since: look.now, lentAt: look.now },
      `live's workers have not taken over the backlog within ${bindMaxMs / 1_000} s: workers of live's revision go into its lane, as with adopt: redeploy`,
    );
  if (!stage.isDone(facts)) return stay(phase, stage.hold, stage.waiting);
  const backlog = unfinished(phase, lane.queue);
  if (backlog > 0) return end(release, phase, backlog, look);
  if (isLast(release, phase)) {
    if (showsAdoption(release, look) && facts.waitedMs < labelPatienceMs)
      return stay(phase, 'workload-unseen', 'live is still labelled as adopting');
    return facts.held
      ? stay(phase, 'workload-unseen', "live's autoscaler has not got its own bounds back yet")
      : end(release, phase, 0, look);
  }
  const next = nextStage(release, phase, look);
  const left = next.stage === 'answering' ? `, and ${lane.queue?.messages ?? 'unseen'} messages are left` : '';
  return go(next, `${stage.done}${left}`);
}

function factsOf(release: Release, phase: Back, look: Look): Facts {
  const live = release.former === undefined ? undefined : look.lanes[release.former];
  return {
    lane: look.lanes[release.candidate],
    adopt: adoptionOf(release, phase),
    live: live?.queue,
    held: live !== undefined && (live.workload === undefined || isHeld(live.workload)),
    candidate: release.candidate,
    waitedMs: elapsedMs(phase.since, look),
    drainMs: phase.drainMs ?? drainMaxMs(0, undefined),
    fencedForMs: phase.fencedAt === undefined ? 0 : elapsedMs(phase.fencedAt, look),
  };
}

/**
 * Nobody asks for the messages of a lane whose own workers are gone, although live's have been told to for long. While the lane cannot be
 * seen, nothing can be put into it, and live's are waited for on.
 */
function isUnheard({ lane: { queue, workload }, adopt, waitedMs }: Facts): boolean {
  return adopt === 'bind' && workload !== undefined && queue?.waiting === false && waitedMs >= bindMaxMs;
}

/** What is still in a lane whose time is up. */
function unfinished({ stage }: Back, queue: QueueLook | undefined): number {
  if (queue === undefined) return 0;
  if (stage === 'draining') return isWorkedOff(queue) ? 0 : queue.messages;
  return stage === 'answering' ? queue.messages : 0;
}

function isLast(release: Release, phase: Back): boolean {
  return (
    phase.stage === 'unbinding' || (phase.stage === 'retiring' && (!release.plan.queue || release.former === undefined))
  );
}

function end({ plan }: Release, phase: Back, backlog: number, look: Look): Next {
  const left =
    plan.adopt === 'answer' ? `${backlog} messages are left unanswered` : `live still works off ${backlog} messages`;
  const lent =
    phase.lentAt === undefined
      ? ''
      : "; live's workers took over no backlog: queue.adopt: redeploy would not wait for them";
  const more = `${lent}${backlog === 0 ? '' : `; ${left}`}`;
  return go({ kind: 'rolledBack', reason: phase.reason, since: look.now, backlog }, `${phase.reason.text}${more}`);
}

function nextStage(release: Release, phase: Back, look: Look): Back {
  const { plan } = release;
  const to = (stage: BackStage): Back => ({ ...phase, stage, since: look.now });
  const queue = look.lanes[release.candidate].queue;
  const draining = (): Back => {
    const live = release.former === undefined ? undefined : look.lanes[release.former].queue;
    return { ...to('draining'), drainMs: drainMaxMs(queue?.messages ?? 0, live) };
  };
  switch (phase.stage) {
    case 'closing':
      if (!plan.queue || release.former === undefined) return to('retiring');
      return { ...to('fencing'), fencedAt: look.now };
    case 'fencing':
      return to('stopping');
    case 'stopping':
      return to(plan.adopt === 'answer' ? 'answering' : 'binding');
    case 'binding':
      return draining();
    case 'draining':
    case 'answering':
      return to('retiring');
    case 'retiring':
      return to('emptying');
    case 'emptying':
    case 'unbinding':
      // Late requests may have entered the lane while the proxies went: they fare like those before.
      if ((queue?.messages ?? 0) === 0) return to('unbinding');
      return plan.adopt === 'answer' ? to('answering') : draining();
  }
}
