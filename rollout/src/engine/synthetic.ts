import { withDeadline } from '../deadline.ts';
import { lanes } from '../lane.ts';
import { probeHeader } from '../pin.ts';
import type { Platform } from '../platform/platform.ts';
import type { Look } from '../policy/look.ts';
import { probeValue } from '../policy/pins.ts';
import type { Release } from '../policy/release.ts';

/** Requests to each lane in one go: 80 per second at the engine's pace, so that a comparison ends within half a minute. */
const batch = 20;
const sendMaxMs = 6_000;

/**
 * The synthetic comparison of blue/green: the same requests to both lanes, through the router, by Headgate's own pin.
 * The router counts them apart; nothing is read from the answers here.
 */
export async function sendSynthetic(ports: Platform, release: Release, look: Look, signal: AbortSignal): Promise<void> {
  const pinned = look.pins.filter(({ header }) => header === probeHeader).length === lanes.length;
  if (release.state.phase.kind !== 'comparing' || !pinned) return;
  const deadline = withDeadline(signal, sendMaxMs);
  const paths = Object.values(release.revision.template.services).flatMap(({ probe }) => probe ?? []);
  const requests = lanes.flatMap((lane) =>
    Array.from({ length: batch }, (_, n) => ({
      path: paths[n % paths.length] ?? '/',
      headers: { [probeHeader]: probeValue(release, lane) },
    })),
  );
  await Promise.all(requests.map((request) => ports.send(request, deadline)));
}
