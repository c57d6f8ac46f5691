import { otherLane } from '../lane.ts';
import { type Marker, markerText, pinsMax, sameMarker } from '../pin.ts';
import type { Look, WishSeen } from './look.ts';
import { elapsedMs } from './next.ts';
import { laneOf } from './pins.ts';
import type { PinTarget, Release, ReleaseState, RolePin, WishAnswer } from './release.ts';
import type { Asked, Heard } from './wishes.ts';

/** A router that has not confirmed a pin by then is told of, and the pin taken back. */
const confirmMaxMs = 30_000;

type Wanting<Act> = Extract<WishSeen, { readonly act: Act }>;

/** Takes the pin up; whoever asked is answered when the router is seen to do it. */
export function hearPin(release: Release, wish: Wanting<'pin'>, look: Look): Heard {
  const { state } = release;
  const words = markerText(wish.marker);
  const to = targetOf(release, wish.to);
  if (to === undefined) return { refused: `no lane holds a revision ${wish.to}: ${heldBy(release)}` };
  const others = state.pins.filter((pin) => !sameMarker(pin, wish.marker));
  if (others.filter(({ test }) => !test).length >= pinsMax)
    return { refused: `there are ${pinsMax} pins already: unpin one first` };
  // Back in the test of this release, and no longer than it.
  const test = to.kind === 'candidate' && release.plan.pins.some((marker) => sameMarker(marker, wish.marker));
  return {
    state: { ...state, pins: [{ ...pinOf(wish, to, look), test }, ...others] },
    text: `${wish.actor} pins ${words} to ${targetText(to)}: ${wish.reason}`,
    answers: overtaken(state, wish.marker),
  };
}

/** Takes the pin off; whoever asked is answered when the router is seen without it. */
export function hearUnpin({ state }: Release, wish: Wanting<'unpin'>, look: Look): Heard {
  const words = markerText(wish.marker);
  const known = state.pins.filter(({ to }) => to.kind !== 'nobody');
  if (!known.some((pin) => sameMarker(pin, wish.marker)))
    return { refused: `${words} is not pinned: ${known.map(markerText).join(', ') || 'nothing is'}` };
  const off = pinOf(wish, { kind: 'nobody' }, look);
  return {
    state: { ...state, pins: state.pins.map((pin) => (sameMarker(pin, wish.marker) ? off : pin)) },
    text: `${wish.actor} unpins ${words}: ${wish.reason}`,
    answers: overtaken(state, wish.marker),
  };
}

/** Whether somebody waits to hear what the router makes of a pin. */
export function awaitsRouter({ pins }: ReleaseState): boolean {
  return pins.some(({ wish }) => wish !== undefined);
}

/** Answers who asked for a pin before this look. What cannot come about is taken back. */
export function settlePins(release: Release, look: Look): Asked {
  const { state } = release;
  const settled = state.pins.map((pin) => ({ pin, said: outcomeOf(release, pin, look) }));
  if (settled.every(({ said }) => said === undefined)) return { state, answers: [], why: '' };
  return {
    why: settled.find(({ said }) => said?.kind === 'refused')?.said?.text ?? '',
    state: {
      ...state,
      pins: settled.flatMap(({ pin, said }) => {
        if (said === undefined) return [pin];
        return said.kind === 'done' && pin.to.kind !== 'nobody' ? [{ ...pin, wish: undefined }] : [];
      }),
    },
    answers: settled.flatMap(({ pin, said }) =>
      said === undefined || pin.wish === undefined ? [] : [{ ...said, id: pin.wish }],
    ),
  };
}

/** `undefined`: there is nothing new, or it is not known yet. */
function outcomeOf(release: Release, pin: RolePin, look: Look): Omit<WishAnswer, 'id'> | undefined {
  const isAwaited = pin.wish !== undefined;
  const words = markerText(pin);
  const lane = laneOf(release, release.state.phase, pin);
  const isSeen = look.weights !== undefined && look.writer === undefined;
  const isRight = isSeen && look.pins.find((one) => sameMarker(one, pin))?.lane === lane;
  if (isRight) return isAwaited ? { kind: 'done', text: `${words} ${leadsTo(release, pin)}` } : undefined;
  if (isSeen && look.cannot !== undefined && lane !== undefined && !pin.test)
    return { kind: 'refused', text: `the router cannot pin ${words}: ${look.cannot}` };
  if (!isAwaited || elapsedMs(pin.since, look) < confirmMaxMs) return undefined;
  return { kind: 'refused', text: `the router did not confirm ${words} within ${confirmMaxMs / 1_000} s` };
}

/** `leads to the candidate, lane green`. */
export function leadsTo(release: Release, pin: RolePin): string {
  const lane = laneOf(release, release.state.phase, pin);
  if (pin.to.kind === 'nobody') return 'leads nowhere any more';
  return lane === undefined
    ? `will lead to ${targetText(pin.to)}, which takes no requests now`
    : `leads to ${targetText(pin.to)}, lane ${lane}`;
}

function targetText(to: PinTarget): string {
  switch (to.kind) {
    case 'revision':
      return `revision ${to.id.slice(0, 8)}`;
    case 'nobody':
      return 'nobody';
    case 'live':
      return 'live';
    case 'candidate':
      return 'the candidate';
  }
}

function targetOf({ revision, formerRevision }: Release, to: string): PinTarget | undefined {
  if (to === 'live' || to === 'candidate') return { kind: to };
  const id = [revision.id, formerRevision].find((one) => one?.startsWith(to));
  return id === undefined ? undefined : { kind: 'revision', id };
}

function heldBy({ candidate, revision, formerRevision }: Release): string {
  const of = (id: string | undefined) => id?.slice(0, 8) ?? 'nothing';
  return `lane ${candidate} has ${of(revision.id)}, lane ${otherLane(candidate)} has ${of(formerRevision)}`;
}

function pinOf({ id, marker, actor, reason }: Wanting<'pin' | 'unpin'>, to: PinTarget, look: Look): RolePin {
  return { header: marker.header, value: marker.value, to, actor, reason, since: look.now, test: false, wish: id };
}

/** Who asked for the same marker and still waits hears that somebody was later. */
function overtaken({ pins }: ReleaseState, marker: Marker): readonly WishAnswer[] {
  return pins.flatMap(({ wish, ...pin }) =>
    wish !== undefined && sameMarker(pin, marker)
      ? [{ id: wish, kind: 'superseded', text: `somebody else has a newer wish about ${markerText(marker)}` } as const]
      : [],
  );
}
