import { setTimeout as sleep } from 'node:timers/promises';
import { type Exchange, type Method, startLoad } from './open-loop.ts';
import type { Side } from './rule.ts';

/** A kind of request that is sent again and again. */
export type LoadRequest = { readonly method: Method; readonly path: string; readonly body: string | undefined };

/** What is sent to one version for one round. `rare` ones share every twentieth request among them. */
export type Sending = {
  readonly origin: string;
  readonly often: readonly LoadRequest[];
  readonly rare: readonly LoadRequest[];
  readonly perSecond: number;
  readonly roundMs: number;
  /** As in `PerfRule`. */
  readonly latePart: number;
};

/** `pauseMs`: the longest time that the sender itself did not get to run. */
export type Sent = { readonly side: Side; readonly pauseMs: number };

const rareEvery = 20;

/** One version's side of a round. Waits for the answers to what it has sent. */
export async function measureSide(sending: Sending): Promise<Sent> {
  const { origin, perSecond, roundMs, latePart } = sending;
  const load = startLoad({ origin, perSecond, make: (n) => requestOf(n, sending) });
  await sleep(roundMs);
  await load.stop();
  return { side: sideOf(load.exchanges, { perSecond, roundMs, latePart }), pauseMs: load.longestPauseMs() };
}

function requestOf(n: number, { often, rare }: Sending): LoadRequest {
  const isRare = rare.length > 0 && n % rareEvery === 0;
  const chosen = isRare ? rare[(n / rareEvery) % rare.length] : often[n % often.length];
  if (chosen === undefined) throw new Error('there is nothing to send');
  return chosen;
}

/** The first answer that was due begins the round. */
function sideOf(
  exchanges: readonly Exchange[],
  { perSecond, roundMs, latePart }: Pick<Sending, 'perSecond' | 'roundMs' | 'latePart'>,
): Side {
  const begun = exchanges.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
  const due = exchanges.filter(({ at }) => at < begun + roundMs);
  const isGood = ({ status }: Exchange) => status !== undefined && status < 500;
  const answered = due.filter((one) => isGood(one) && one.at + one.ms <= begun + roundMs * (1 + latePart));
  const timings: Record<string, number[]> = {};
  for (const { method, path, ms } of due) {
    const kind = `${method} ${path}`;
    timings[kind] = timings[kind] ?? [];
    timings[kind].push(ms);
  }
  return {
    askedPerSecond: perSecond,
    achievedPerSecond: answered.length / (roundMs / 1_000),
    requests: due.length,
    errors: due.filter((one) => !isGood(one)).length,
    timings,
  };
}
