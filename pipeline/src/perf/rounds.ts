import { setTimeout as sleep } from 'node:timers/promises';
import type { Round, Side } from './judge.ts';
import { type Exchange, type Method, startLoad } from './open-loop.ts';
import { watchStillness } from './stillness.ts';

/** A kind of request that is sent again and again. */
export type LoadRequest = { readonly method: Method; readonly path: string; readonly body: string | undefined };

export type Measuring = {
  /** Where each version answers, e.g. `http://127.0.0.1:8080/api`. */
  readonly before: string;
  readonly after: string;
  /** `rare` ones share every twentieth request among them. */
  readonly often: readonly LoadRequest[];
  readonly rare: readonly LoadRequest[];
  readonly perSecond: number;
  readonly roundMs: number;
  readonly rounds: number;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
};

const rareEvery = 20;
/** Sent before the first round, so that caches, compilers and connections are as they are in use. */
const warmUpMs = 2_000;
/** Answers that come so much later than the round's end still count as answered in it. */
const lateMs = 500;
const restMs = 200;

/** Old, new, new, old, and so on: what drifts on the machine meets both alike. */
export async function measureRounds(measuring: Measuring, signal: AbortSignal): Promise<readonly Round[]> {
  await using still = await watchStillness();
  const measure = async (origin: string) => {
    await sleep(restMs, undefined, { signal });
    await still.longestMs();
    const { side, pauseMs } = await measureSide(origin, measuring, signal);
    return { side, stillMs: Math.max(pauseMs, await still.longestMs()) };
  };
  for (const origin of [measuring.before, measuring.after])
    await measureSide(origin, { ...measuring, roundMs: warmUpMs }, signal);
  const rounds: Round[] = [];
  while (rounds.length < measuring.rounds) {
    const oldFirst = rounds.length % 2 === 0;
    const first = await measure(oldFirst ? measuring.before : measuring.after);
    const second = await measure(oldFirst ? measuring.after : measuring.before);
    const [before, after] = oldFirst ? [first, second] : [second, first];
    rounds.push({
      before: before.side,
      after: after.side,
      stillMs: { before: before.stillMs, after: after.stillMs },
    });
    measuring.say(`round ${rounds.length} of ${measuring.rounds}: ${[before, after].map(wordsOf).join('; ')}`);
  }
  return rounds;
}

function wordsOf({ side, stillMs }: { side: Side; stillMs: number }, index: number): string {
  const name = index === 0 ? 'old' : 'new';
  return `${name} ${side.achievedPerSecond.toFixed(0)}/s, ${side.errors} errors, machine still for ${stillMs.toFixed(0)} ms`;
}

async function measureSide(origin: string, measuring: Measuring, signal: AbortSignal) {
  const { perSecond, roundMs } = measuring;
  const load = startLoad({ origin, perSecond, make: (n) => requestOf(n, measuring) });
  try {
    await sleep(roundMs, undefined, { signal });
  } finally {
    await load.stop();
  }
  return { side: sideOf(load.exchanges, { perSecond, roundMs }), pauseMs: load.longestPauseMs() };
}

function requestOf(n: number, { often, rare }: Measuring): LoadRequest {
  const isRare = rare.length > 0 && n % rareEvery === 0;
  const chosen = isRare ? rare[(n / rareEvery) % rare.length] : often[n % often.length];
  if (chosen === undefined) throw new Error('there is nothing to send');
  return chosen;
}

/** The first answer that was due begins the round. */
function sideOf(exchanges: readonly Exchange[], { perSecond, roundMs }: { perSecond: number; roundMs: number }): Side {
  const begun = exchanges.reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
  const due = exchanges.filter(({ at }) => at < begun + roundMs);
  const isGood = ({ status }: Exchange) => status !== undefined && status < 500;
  const answered = due.filter((one) => isGood(one) && one.at + one.ms <= begun + roundMs + lateMs);
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
