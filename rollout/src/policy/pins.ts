import type { Instant, Lane, Pin } from '../lane.ts';
import { probeHeader, sameMarker } from '../pin.ts';
import type { Look } from './look.ts';
import { isForward, type Phase } from './phase.ts';
import type { Head, Plan, Release, ReleaseState, RolePin } from './release.ts';

/** The value of the probe's header names the release and the lane, and is known to nobody else. */
export function probeValue(release: Pick<Release, 'probe'>, lane: Lane): string {
  return `${release.probe}-${lane}`;
}

/** Marked requests still reach the lane whatever its weight. */
export function isPinned(lane: Lane, look: Look): boolean {
  return look.pins.some((pin) => pin.lane === lane);
}

/** The pins that a phase stands for; the very pins of the look when these are right. */
export function wantedPins(release: Release, phase: Phase, look: Look): readonly Pin[] {
  const wanted = pinsAt(release, phase);
  return samePins(wanted, look.pins) ? look.pins : wanted;
}

/** Everybody's pins whose lane may have requests in this phase, and Headgate's own. The route gets these and no others. */
export function pinsAt(release: Release, phase: Phase): readonly Pin[] {
  const asked = release.state.pins.flatMap((pin): Pin[] => {
    const lane = laneOf(release, phase, pin);
    return lane === undefined ? [] : [{ header: pin.header, value: pin.value, lane }];
  });
  if (!isProbed(release, phase)) return asked;
  const probes = (['blue', 'green'] as const).map(
    (lane): Pin => ({ header: probeHeader, value: probeValue(release, lane), lane }),
  );
  return [...asked, ...probes];
}

/** Headgate's own requests may be sent: they must find their lane whatever the weights. */
function isProbed({ plan }: Release, { kind }: Phase): boolean {
  if (kind === 'comparing') return true;
  return plan.strategy === 'canary' && plan.synthetic !== undefined && (kind === 'settling' || kind === 'holding');
}

/** Where a pin leads now; `undefined`: nowhere, its requests go by weight like all others. */
export function laneOf(release: Release, phase: Phase, { to }: Pick<RolePin, 'to'>): Lane | undefined {
  const lane = playing(release, to);
  return lane !== undefined && takesPins(release, phase, lane) ? lane : undefined;
}

function playing({ candidate, former, formerRevision, revision, state }: Release, to: RolePin['to']): Lane | undefined {
  switch (to.kind) {
    case 'live':
      return state.live;
    case 'candidate':
      return state.live === candidate ? undefined : candidate;
    case 'revision':
      if (to.id === revision.id) return candidate;
      return to.id === formerRevision ? former : undefined;
    case 'nobody':
      return undefined;
  }
}

/** A lane that is not up yet, that nobody watches, or that is about to go to zero gets no request by a pin either. */
function takesPins({ candidate }: Release, { kind }: Phase, lane: Lane): boolean {
  switch (kind) {
    case 'closing':
    case 'starting':
    case 'interrupted':
    case 'returning':
    case 'rollingBack':
    case 'rolledBack':
      return lane !== candidate;
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'watching':
    case 'promoted':
      return true;
    case 'retiring':
    case 'retired':
      return lane === candidate;
  }
}

/** The pins of a test are gone when it has ended; the very pins when nothing ends. */
export function pinsAfter({ pins }: ReleaseState, phase: Phase): readonly RolePin[] {
  const runs = isForward(phase) || phase.kind === 'interrupted';
  return runs || !pins.some(({ test }) => test) ? pins : pins.filter(({ test }) => !test);
}

/** People's pins, which a new release takes over, then those of its test. A pin to a revision ends with the last lane that holds it. */
export function pinsAtStart({ release, lanes, live }: Head, { pins }: Plan, since: Instant): readonly RolePin[] {
  const stays = live === undefined ? undefined : lanes[live]?.id;
  const kept = (release?.state.pins ?? []).filter(({ to }) => to.kind !== 'revision' || to.id === stays);
  const asked = { to: { kind: 'candidate' }, actor: 'headgate.yaml', reason: 'the A/B test', since } as const;
  const tested = pins
    .filter((marker) => !kept.some((pin) => sameMarker(pin, marker))) // What a person has said of it is stronger.
    .map(({ header, value }) => ({ header, value, ...asked, test: true, wish: undefined }));
  return [...kept, ...tested];
}

function samePins(a: readonly Pin[], b: readonly Pin[]): boolean {
  return a.length === b.length && a.every((pin, k) => b[k]?.lane === pin.lane && sameMarker(pin, b[k]));
}
