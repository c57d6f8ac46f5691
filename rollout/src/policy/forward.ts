import type { Instant } from '../lane.ts';
import { forecastText } from './forecast-text.ts';
import type { Look } from './look.ts';
import { beginBack, elapsedMs, go, type Next, starved, stay, unconfirmed, unreadyFor } from './next.ts';
import { writtenByOthers } from './others.ts';
import type { Phase, Reason } from './phase.ts';
import { isPinned, wantedPins } from './pins.ts';
import type { Release } from './release.ts';
import { tooFew } from './sizes.ts';
import { migrationBlocker, migrationFailure, startBlocker, startFailure } from './start.ts';
import { confirmed } from './weights.ts';

type ForwardPhase = Extract<
  Phase,
  { kind: 'closing' | 'starting' | 'comparing' | 'settling' | 'holding' | 'promoting' | 'interrupted' }
>;

/** A lane without a ready proxy or live worker for so long, in looks without a gap, is down. */
const downAfterMs = 1_000;
/** Two missed looks: no step up. */
const blindNoStepMs = 2_000;
/** Blind for so long: back to the first weight. */
const blindBackMs = 300_000;

export function forwardNext(release: Release, phase: ForwardPhase, look: Look): Next {
  return reasonToGoBack(release, phase, look) ?? onward(release, phase, look);
}

/** Everything that ends a release before promotion, the surest first. A rollback waits for nothing but a live lane that stands. */
function reasonToGoBack(release: Release, phase: ForwardPhase, look: Look): Next | undefined {
  const reason =
    migrationFailure(release, phase, look) ??
    startFailure(release, phase, look) ??
    lowered(release, phase, look) ??
    unready(release, phase, look) ??
    (hasWeight(phase) ? starved(release, look) : undefined) ??
    judged(phase, look) ??
    late(release, look);
  if (reason === undefined) return undefined;
  const { former } = release;
  const needsLive = hasWeight(phase) && reason.kind !== 'lowered';
  if (needsLive && former !== undefined && !look.lanes[former].stands) {
    return stay(phase, 'both-lanes-down', `${reason.text}, but live is down too: no traffic is moved to it`);
  }
  return go(beginBack(reason, look), reason.text);
}

function hasWeight(phase: ForwardPhase): phase is Extract<Phase, { kind: 'settling' | 'holding' | 'promoting' }> {
  return phase.kind === 'settling' || phase.kind === 'holding' || phase.kind === 'promoting';
}

/**
 * Somebody else wrote a lower weight for the candidate: that is how a person rolls back without Headgate. While a step is being set, only
 * down to what the candidate had before it: what lies between may be an older write of theirs over which ours has not come.
 */
function lowered(release: Release, phase: ForwardPhase, look: Look): Reason | undefined {
  if (!hasWeight(phase) || look.weights === undefined) return undefined;
  const { steps } = release.plan;
  const step = phase.kind === 'promoting' ? steps.length : phase.step;
  const seen = look.weights[release.candidate];
  const ours = steps[step] ?? 100;
  const isLower =
    phase.kind === 'holding'
      ? seen < ours
      : seen < ours && seen <= (steps[step - 1] ?? 0) && writtenByOthers(release, phase, look) !== undefined;
  return isLower
    ? {
        kind: 'lowered',
        text: `${look.writer ?? 'somebody'} set the candidate from ${ours} % to ${seen} % outside Headgate`,
      }
    : undefined;
}

function unready(release: Release, phase: ForwardPhase, look: Look): Reason | undefined {
  if (!hasWeight(phase)) return undefined;
  const candidate = look.lanes[release.candidate];
  if (candidate.downMs < downAfterMs) return undefined;
  return unreadyFor('the candidate', candidate);
}

function judged(phase: ForwardPhase, look: Look): Reason | undefined {
  if (!hasWeight(phase) && phase.kind !== 'comparing') return undefined;
  return look.evidence.verdict === 'rollback' ? { kind: 'verdict', text: look.evidence.text } : undefined;
}

function late(release: Release, look: Look): Reason | undefined {
  if (release.plan.atDeadline !== 'rollback' || elapsedMs(release.startedAt, look) < release.plan.deadlineMs)
    return undefined;
  return { kind: 'deadline', text: `not promoted within ${Math.round(release.plan.deadlineMs / 60_000)} min` };
}

function onward(release: Release, phase: ForwardPhase, look: Look): Next {
  const others = writtenByOthers(release, phase, look);
  if (others !== undefined) return stay(phase, 'foreign-writer', others);
  switch (phase.kind) {
    case 'closing':
      return afterClosing(release, phase, look);
    case 'starting': {
      const blocker = startBlocker(release, look);
      return blocker === undefined
        ? go(firstWeight(release, look), `the candidate is up and answers${forecastWords(release, look)}`)
        : stay(phase, 'starting', blocker);
    }
    case 'comparing':
      return compared(release, phase, look);
    case 'settling':
      return settled(release, phase, look);
    case 'holding':
      return step(release, phase, look);
    case 'promoting':
      return confirmed(release, phase, look)
        ? go(promotedPhase(release, look), '100 % is confirmed')
        : unconfirmed(release, phase, look, asked('100 %'));
    case 'interrupted':
      return go({ kind: 'starting', since: look.now }, 'a driver goes on with the interrupted release');
  }
}

function settled(release: Release, phase: Extract<Phase, { kind: 'settling' }>, look: Look): Next {
  const isTest = release.plan.strategy === 'ab';
  const what = isTest ? "the test's pins" : `${release.plan.steps[phase.step]} %`;
  const isRight = !isTest || wantedPins(release, phase, look) === look.pins;
  if (!confirmed(release, phase, look) || !isRight) return unconfirmed(release, phase, look, asked(what));
  return go({ kind: 'holding', step: phase.step, since: look.now }, `${what} ${isTest ? 'are' : 'is'} confirmed`);
}

function compared(release: Release, phase: Extract<Phase, { kind: 'comparing' }>, look: Look): Next {
  if (look.evidence.verdict === 'promote')
    return go({ kind: 'promoting', since: look.now }, 'the synthetic comparison is good enough');
  if (wantedPins(release, phase, look) !== look.pins)
    return unconfirmed(release, phase, look, asked("the comparison's pins"));
  return stay(phase, 'evidence', look.evidence.text);
}

function asked(what: string): string {
  return `${what}: asked for and not confirmed yet`;
}

function afterClosing(release: Release, phase: ForwardPhase, look: Look): Next {
  if (!confirmed(release, phase, look) || isPinned(release.candidate, look)) {
    return unconfirmed(release, phase, look, 'the candidate lane is not confirmed at 0 yet');
  }
  if (release.plan.queue) {
    const queue = look.lanes[release.candidate].queue;
    if (queue === undefined) return stay(phase, 'queue-unseen', "the candidate lane's queue cannot be seen");
    if (queue.messages > 0 && release.former !== undefined) {
      const left = `${queue.messages} messages that an earlier release left in the lane`;
      return stay(
        phase,
        'leftovers',
        release.plan.adopt === 'answer' || release.plan.deadLetterBacklog === true
          ? `the clients of ${left} hear 503`
          : `live works off ${left}`,
      );
    }
  }
  const blocker = migrationBlocker(release, look);
  if (blocker !== undefined) return stay(phase, 'starting', blocker);
  return go({ kind: 'starting', since: look.now }, 'the candidate lane is closed and empty');
}

function firstWeight(release: Release, look: Look): Phase {
  if (release.plan.steps.length > 0) return { kind: 'settling', step: 0, since: look.now };
  return release.plan.strategy === 'blue-green'
    ? { kind: 'comparing', since: look.now }
    : { kind: 'promoting', since: look.now };
}

/** The first release has nobody to return to, so nothing is watched. */
function promotedPhase(release: Release, look: Look): Phase {
  return release.former === undefined
    ? { kind: 'promoted', since: look.now, warmUntil: look.now }
    : { kind: 'watching', since: look.now };
}

function step(release: Release, phase: Extract<Phase, { kind: 'holding' }>, look: Look): Next {
  const { plan } = release;
  const { evidence } = look;
  const last = phase.step === plan.steps.length - 1;
  if (evidence.blindMs >= blindBackMs && phase.step > 0) {
    return go({ kind: 'settling', step: 0, since: look.now }, 'no counts for 5 min: back to the first weight');
  }
  const blocker = stepBlocker(release, phase, look);
  if (blocker !== undefined) return blocker;
  if (!last) {
    const words = `${stepWords(evidence)}${forecastWords(release, look)}`;
    return go({ kind: 'settling', step: phase.step + 1, since: look.now }, words);
  }
  if (plan.approve) return stay(phase, 'approval', 'good enough to promote; a person promotes');
  return go({ kind: 'promoting', since: look.now }, evidence.text);
}

/** Told at the start and at each step, so that who must wait for long hears it then. */
function forecastWords({ plan, startedAt }: Release, look: Look): string {
  const { forecast } = look.evidence;
  if (forecast === undefined) return '';
  return `; ${forecastText(forecast, plan.deadlineMs - elapsedMs(startedAt, look), plan)}`;
}

function stepWords({ verdict, progress, text }: Look['evidence']): string {
  return verdict === 'promote' ? text : `${Math.floor(100 * progress)} % of the evidence that promotion needs is there`;
}

function stepBlocker(release: Release, phase: Extract<Phase, { kind: 'holding' }>, look: Look): Next | undefined {
  const { plan, state } = release;
  const { evidence } = look;
  const n = plan.steps.length;
  const next = plan.steps[phase.step + 1] ?? 100;
  const bakeLeftMs = plan.bakeMs / n - elapsedMs(phase.since, look);
  const ready = phase.step === n - 1 ? evidence.verdict === 'promote' : evidence.progress >= (phase.step + 1) / n;
  if (state.held !== undefined) return stay(phase, 'person', `held by ${state.held.actor}: ${state.held.reason}`);
  if (elapsedMs(release.startedAt, look) >= plan.deadlineMs)
    return stay(phase, 'deadline', 'the deadline has passed; a person decides');
  if (evidence.blindMs >= blindNoStepMs)
    return stay(phase, 'no-metrics', `no counts for ${Math.round(evidence.blindMs / 1000)} s`);
  if (evidence.unread) return stay(phase, 'no-metrics', evidence.text);
  if (evidence.idle) return stay(phase, 'no-traffic', 'the router reports no traffic');
  if (plan.strategy === 'ab') return stay(phase, 'test', testText(release, look));
  if (!ready) return stay(phase, 'evidence', evidence.text);
  if (bakeLeftMs > 0) return stay(phase, 'bake', `this weight stays for ${Math.ceil(bakeLeftMs / 1000)} s more`);
  return capacity(release, phase, look, next);
}

function testText({ candidate }: Release, look: Look): string {
  return isPinned(candidate, look)
    ? 'an A/B test runs until a person promotes or rolls back'
    : 'no pin leads to the candidate: the A/B test is switched off';
}

/** It was not promoted by its deadline and does not go back for that: it stays as it is until a person decides. */
export function isHeldAtDeadline({ startedAt, plan, state: { phase } }: Release, now: Instant): boolean {
  return phase.kind === 'holding' && plan.atDeadline === 'hold' && now >= startedAt + plan.deadlineMs;
}

/** Before a step the candidate must be able to carry the next share of what live needed at its peak. */
function capacity(release: Release, phase: Phase, look: Look, next: number): Next | undefined {
  const seen = look.lanes[release.candidate].workload;
  if (seen === undefined) return stay(phase, 'workload-unseen', 'the candidate cannot be seen');
  const short = tooFew(release, seen, next);
  return short.length === 0
    ? undefined
    : stay(phase, 'capacity', `too few instances are ready for ${next} %: ${short.join(', ')}`);
}
