import { setTimeout as sleep } from 'node:timers/promises';
import { isSettled } from './judge.ts';
import { watchNeighbours } from './neighbours.ts';
import { isCalm, type Machine, type PerfRule, type Round, roundsMaxOf, type Side } from './rule.ts';
import { openSender } from './sender.ts';
import type { Sending } from './side.ts';
import { watchStillness } from './stillness.ts';

export type Measuring = Omit<Sending, 'origin' | 'latePart'> & {
  /** Where each version answers, e.g. `http://127.0.0.1:8080/api`. */
  readonly before: string;
  readonly after: string;
  /** Rounds end with the first look that tells. Those that are not calm are played again, as many as there may be calm ones. */
  readonly rule: PerfRule;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
};

/** Sent before the first round, so that caches, compilers and connections are as they are in use. */
const warmUpMs = 2_000;
const restMs = 100;

/** Old, new, new, old, and so on: what drifts on the machine meets both alike. */
export async function measureRounds(measuring: Measuring, signal: AbortSignal): Promise<readonly Round[]> {
  await using still = await watchStillness();
  await using neighbours = watchNeighbours();
  await using sender = await openSender();
  const { before: old, after: now, rule, say, ...sent } = measuring;
  const load = { ...sent, latePart: rule.latePart };
  const measure = async (origin: string) => {
    await sleep(restMs, undefined, { signal });
    await still.longestMs();
    neighbours.busiest();
    const { side, pauseMs } = await sender.send({ ...load, origin }, signal);
    const machine = { stillMs: Math.max(pauseMs, await still.longestMs()), others: neighbours.busiest() };
    return { side, machine };
  };
  for (const origin of [old, now]) await sender.send({ ...load, origin, roundMs: warmUpMs }, signal);
  const rounds: Round[] = [];
  const calm = () => rounds.filter((round) => isCalm(round, rule)).length;
  const max = roundsMaxOf(rule);
  while (calm() < max && rounds.length < 2 * max && !isSettled(rounds, rule)) {
    const oldFirst = rounds.length % 2 === 0;
    const first = await measure(oldFirst ? old : now);
    const second = await measure(oldFirst ? now : old);
    const [before, after] = oldFirst ? [first, second] : [second, first];
    rounds.push({
      before: before.side,
      after: after.side,
      machine: { before: before.machine, after: after.machine },
    });
    const told = [before, after].map(wordsOf).join('; ');
    say(`round ${rounds.length}, ${calm()} of at most ${max} calm: ${told}`);
  }
  return rounds;
}

function wordsOf({ side, machine }: { side: Side; machine: Machine }, index: number): string {
  const name = index === 0 ? 'old' : 'new';
  const around = `machine still for ${machine.stillMs.toFixed(0)} ms, ${(machine.others * 100).toFixed(0)} % of it others'`;
  return `${name} ${side.achievedPerSecond.toFixed(0)}/s, ${side.errors} errors, ${around}`;
}
