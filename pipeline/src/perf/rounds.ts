import { setTimeout as sleep } from 'node:timers/promises';
import { isSettled } from './judge.ts';
import { watchNeighbours } from './neighbours.ts';
import { type Exchange, type Method, startLoad } from './open-loop.ts';
import { isCalm, type Machine, type PerfRule, type Round, roundsMaxOf, type Side } from './rule.ts';
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
  /** Rounds end with the first look that tells. Those that are not calm are played again, as many as there may be calm ones. */
  readonly rule: PerfRule;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
};

const rareEvery = 20;
/** Sent before the first round, so that caches, compilers and connections are as they are in use. */
const warmUpMs = 2_000;
/** Answers that come so much later than the round's end, as part of it, still count as answered in it. */
const latePart = 0.2;
const restMs = 100;

/** Old, new, new, old, and so on: what drifts on the machine meets both alike. */
export async function measureRounds(measuring: Measuring, signal: AbortSignal): Promise<readonly Round[]> {
  await using still = await watchStillness();
  await using neighbours = watchNeighbours();
  const measure = async (origin: string) => {
    await sleep(restMs, undefined, { signal });
    await still.longestMs();
    neighbours.busiest();
    const { side, pauseMs } = await measureSide(origin, measuring, signal);
    const machine = { stillMs: Math.max(pauseMs, await still.longestMs()), others: neighbours.busiest() };
    return { side, machine };
  };
  for (const origin of [measuring.before, measuring.after])
    await measureSide(origin, { ...measuring, roundMs: warmUpMs }, signal);
  const rounds: Round[] = [];
  const calm = () => rounds.filter((round) => isCalm(round, measuring.rule)).length;
  const max = roundsMaxOf(measuring.rule);
  while (calm() < max && rounds.length < 2 * max && !isSettled(rounds, measuring.rule)) {
    const oldFirst = rounds.length % 2 === 0;
    const first = await measure(oldFirst ? measuring.before : measuring.after);
    const second = await measure(oldFirst ? measuring.after : measuring.before);
    const [before, after] = oldFirst ? [first, second] : [second, first];
    rounds.push({
      before: before.side,
      after: after.side,
      machine: { before: before.machine, after: after.machine },
    });
    const told = [before, after].map(wordsOf).join('; ');
    measuring.say(`round ${rounds.length}, ${calm()} of at most ${max} calm: ${told}`);
  }
  return rounds;
}

function wordsOf({ side, machine }: { side: Side; machine: Machine }, index: number): string {
  const name = index === 0 ? 'old' : 'new';
  const around = `machine still for ${machine.stillMs.toFixed(0)} ms, ${(machine.others * 100).toFixed(0)} % of it others'`;
  return `${name} ${side.achievedPerSecond.toFixed(0)}/s, ${side.errors} errors, ${around}`;
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
