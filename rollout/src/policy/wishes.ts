import { unreachable } from '../errors.ts';
import type { Look, WishSeen } from './look.ts';
import { beginBack } from './next.ts';
import type { Phase } from './phase.ts';
import { hearPin, hearUnpin, settlePins } from './pin-wishes.ts';
import type { Release, ReleaseState, WishAnswer } from './release.ts';

export type Asked = { readonly state: ReleaseState; readonly answers: readonly WishAnswer[]; readonly why: string };

/** `answers` when it is not the plain one: done, in the words of `text`. */
export type Heard =
  | { readonly state: ReleaseState; readonly text: string; readonly answers?: readonly WishAnswer[] }
  | { readonly refused: string };

/** Hears everybody in the order in which they asked. Each gets an answer: at once, but for pins, which the router must confirm. */
export function answerWishes(release: Release, look: Look): Asked {
  let asked = settlePins(release, look);
  for (const wish of look.wishes) {
    const heard = hear({ ...release, state: asked.state }, wish, look);
    asked =
      'refused' in heard
        ? { ...asked, answers: [...asked.answers, { id: wish.id, kind: 'refused', text: heard.refused }] }
        : {
            state: heard.state,
            why: heard.text,
            answers: [...asked.answers, ...(heard.answers ?? [{ id: wish.id, kind: 'done', text: heard.text }])],
          };
  }
  return asked;
}

function hear(release: Release, wish: WishSeen, look: Look): Heard {
  if (wish.release !== undefined && wish.release !== release.id) {
    return { refused: `release ${wish.release} is not the current one: that is release ${release.id}` };
  }
  const { state } = release;
  switch (wish.act) {
    case 'hold':
      return {
        state: { ...state, held: { actor: wish.actor, reason: wish.reason, since: look.now } },
        text: `held by ${wish.actor}`,
      };
    case 'resume':
      return { state: { ...state, held: undefined }, text: `resumed by ${wish.actor}` };
    case 'rollback':
      return rollback(release, wish, look);
    case 'step': {
      const now = 'step' in state.phase ? state.phase.step : undefined;
      if (wish.step !== undefined && wish.step !== now)
        return {
          refused: `release ${release.id} is not at step ${wish.step + 1} any more: somebody or the judge was faster`,
        };
      return onward(release, wish, nextStep(release, look));
    }
    case 'promote':
      return onward(release, wish, canPromote(state.phase) ? { kind: 'promoting', since: look.now } : undefined);
    case 'pin':
      return hearPin(release, wish, look);
    case 'unpin':
      return hearUnpin(release, wish, look);
    default:
      return unreachable(wish);
  }
}

function onward(release: Release, wish: WishSeen, phase: Phase | undefined): Heard {
  if (phase === undefined)
    return { refused: `${wish.act} is not possible while release ${release.id} is ${release.state.phase.kind}` };
  return { state: { ...release.state, phase, held: undefined }, text: `${wish.act} by ${wish.actor}: ${wish.reason}` };
}

function canPromote(phase: Phase): boolean {
  return phase.kind === 'settling' || phase.kind === 'holding' || phase.kind === 'comparing';
}

function nextStep({ state, plan }: Release, look: Look): Phase | undefined {
  const { phase } = state;
  if (phase.kind === 'comparing') return { kind: 'promoting', since: look.now };
  if (phase.kind !== 'holding' && phase.kind !== 'settling') return undefined;
  const last = phase.step >= plan.steps.length - 1;
  return last ? { kind: 'promoting', since: look.now } : { kind: 'settling', step: phase.step + 1, since: look.now };
}

function rollback(release: Release, wish: WishSeen, look: Look): Heard {
  const { phase } = release.state;
  const text = `rolled back by ${wish.actor}: ${wish.reason}`;
  const reason = { kind: 'person', text } as const;
  switch (phase.kind) {
    case 'closing':
    case 'starting':
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'interrupted':
      return { state: { ...release.state, phase: beginBack(reason, look), held: undefined }, text };
    case 'watching':
    case 'promoted':
      if (release.former === undefined) return { refused: 'there is no former version to go back to' };
      return {
        state: { ...release.state, phase: { kind: 'returning', reason, since: look.now }, held: undefined },
        text,
      };
    case 'returning':
    case 'rollingBack':
    case 'rolledBack':
      return { state: release.state, text: `release ${release.id} goes back already` };
    case 'retiring':
    case 'retired':
      return {
        refused: 'keepWarm is over: the former version has to be released again (`headgate rollback` does that)',
      };
    default:
      return unreachable(phase);
  }
}
