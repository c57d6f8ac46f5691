import type { Lane, Pin } from '../lane.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import type { Release } from './release.ts';

/** The header of Headgate's own requests. Its value names the release and the lane, and is known to nobody else. */
export const probeHeader = 'Headgate-Probe';

export function probeValue(release: Pick<Release, 'probe'>, lane: Lane): string {
  return `${release.probe}-${lane}`;
}

/** Somebody still reaches the candidate whatever its weight. */
export function isPinned({ candidate }: Release, look: Look): boolean {
  return look.pins.some(({ lane }) => lane === candidate);
}

/** The pins that a phase stands for; the very pins of the look when these are right. People's pins stay while their lane may have traffic. */
export function wantedPins(release: Release, phase: Phase, look: Look): readonly Pin[] {
  const others = look.pins.filter(({ header }) => header !== probeHeader);
  switch (phase.kind) {
    case 'comparing': {
      // People's pins that were not seen would be lost with a write.
      if (look.weights === undefined) return look.pins;
      const probes = (['blue', 'green'] as const).map(
        (lane): Pin => ({ header: probeHeader, value: probeValue(release, lane), lane }),
      );
      const there = probes.every(({ value, lane }) =>
        look.pins.some((pin) => pin.value === value && pin.lane === lane),
      );
      return there ? look.pins : [...others, ...probes];
    }
    case 'closing':
    case 'returning':
    case 'rollingBack': {
      const kept = others.filter(({ lane }) => lane !== release.candidate);
      return kept.length === look.pins.length ? look.pins : kept;
    }
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'watching':
    case 'interrupted':
      return others.length === look.pins.length ? look.pins : others;
    case 'starting':
    case 'promoted':
    case 'retiring':
    case 'retired':
    case 'rolledBack':
      return look.pins;
  }
}
