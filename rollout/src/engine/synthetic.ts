import { withDeadline } from '../deadline.ts';
import { lanes } from '../lane.ts';
import { probeHeader } from '../pin.ts';
import type { Platform } from '../platform/platform.ts';
import type { Look } from '../policy/look.ts';
import { probeValue } from '../policy/pins.ts';
import type { Release } from '../policy/release.ts';

/** To each lane, in a comparison that nobody else's requests take part in: it ends within half a minute. */
const comparisonPerSec = 80;
/** Requests to each lane in one go: half a second's of a comparison, as long as a look takes on a busy machine. */
const batchMax = 40;
const sendMaxMs = 6_000;

/**
 * Synthetic requests: the same ones to both lanes, through the router, by Headgate's own pin. The router counts them apart; nothing is
 * read from the answers here. In blue/green's comparison always; beside users' requests where these are too few.
 */
export interface SyntheticSender {
  /** Sends what is due. Waits for nothing: a lane that is slow to answer must not hold a look up. */
  send(release: Release, look: Look, signal: AbortSignal): void;
}

export function makeSyntheticSender(ports: Pick<Platform, 'send'>): SyntheticSender {
  let sentAt: number | undefined;
  let due = 0;
  let turn = 0;
  let busy = false;

  /** How many for each lane now: as many as the time since the last ones asks for. */
  function dueNow(perSec: number, now: number): number {
    due = sentAt === undefined ? 1 : Math.min(batchMax, due + (perSec * (now - sentAt)) / 1_000);
    sentAt = now;
    const whole = Math.floor(due);
    due -= whole;
    return whole;
  }

  return {
    send(release, look, signal) {
      const perSec = rateFor(release, look);
      if (perSec === 0) {
        sentAt = undefined;
        return;
      }
      if (busy) return;
      const each = dueNow(perSec, look.now);
      const paths = pathsOf(release);
      const asked = Array.from({ length: each }, () => paths[turn++ % paths.length] ?? '/');
      const requests = lanes.flatMap((lane) =>
        asked.map((path) => ({ path, headers: { [probeHeader]: probeValue(release, lane) } })),
      );
      const deadline = withDeadline(signal, sendMaxMs);
      busy = true;
      // One that cannot be sent is counted by the router or by nobody; either way the next ones follow.
      void Promise.allSettled(requests.map((request) => ports.send(request, deadline))).then(() => {
        busy = false;
      });
    },
  };
}

/** To each lane; 0 while the router does not know the pins, or nobody needs them. */
function rateFor({ plan, state: { phase } }: Release, { pins, evidence }: Look): number {
  if (pins.filter(({ header }) => header === probeHeader).length !== lanes.length) return 0;
  if (phase.kind === 'comparing') return comparisonPerSec;
  return phase.kind === 'holding' && evidence.thin ? (plan.synthetic?.perSec ?? 0) : 0;
}

function pathsOf({ plan, revision }: Release): readonly string[] {
  return plan.synthetic?.requests ?? Object.values(revision.template.services).flatMap(({ probe }) => probe ?? []);
}
