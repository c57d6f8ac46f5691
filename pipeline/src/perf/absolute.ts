import type { Gate } from '@headgate/rollout';
import { isSteady, percentile, percentiles } from './interval.ts';
import { risingOf } from './rising.ts';
import type { PerfRule, Round, Side } from './rule.ts';

/** What needs no comparison to be bad; and what the old version does as well, which says more about the machine. */
export function absoluteGates(rounds: readonly Round[], rule: PerfRule): readonly Gate[] {
  const [before, after] = [pool(rounds.map((round) => round.before)), pool(rounds.map((round) => round.after))];
  return [
    rateGate(rounds, after, rule),
    {
      name: 'errors',
      outcome: after.errors > rule.errorsMax ? 'failed' : 'passed',
      text: `${(after.errors * 100).toFixed(2)} % of the requests failed`,
    },
    ...percentiles.map(([name, part]): Gate => {
      const [was, is] = [percentile(before.ms, part), percentile(after.ms, part)];
      const text = `${name} is ${is.toFixed(0)} ms, the limit ${rule.msMax[name]} ms`;
      if (is <= rule.msMax[name]) return { name: `${name}, limit`, outcome: 'passed', text };
      // Where the old version is near its limit too, the machine may have added the rest.
      return was > rule.msMax[name] / 2
        ? {
            name: `${name}, limit`,
            outcome: 'undecided',
            text: `${text}, and the old version has ${was.toFixed(0)} ms here`,
          }
        : { name: `${name}, limit`, outcome: 'failed', text };
    }),
  ];
}

/**
 * One answer is enough, so that its round need not be calm: a version that stood still makes a burst for whoever sends, who stops
 * under it for a moment. A standstill of the machine is at least a third of what it makes answers take: as long, and what had to be caught up.
 */
export function standstillGate(rounds: readonly Round[], { freezeMs, othersMax }: PerfRule): Gate {
  const free = rounds.filter(({ machine: { before, after } }) => before.others < othersMax && after.others < othersMax);
  const own = free.filter(({ after, machine }) => worstOf(after) > 4 * machine.after.stillMs);
  const worstWas = Math.max(0, ...free.map(({ before }) => worstOf(before)));
  const worstIs = Math.max(0, ...own.map(({ after }) => worstOf(after)));
  const stands = worstIs >= freezeMs && worstIs >= 2 * worstWas;
  const text = `one answer took ${worstIs.toFixed(0)} ms, the slowest of the old version ${worstWas.toFixed(0)} ms`;
  return {
    name: 'standstill',
    outcome: stands ? 'failed' : 'passed',
    text: stands ? `it stood still: ${text}` : text,
  };
}

function worstOf(side: Side): number {
  return risingOf(side).all.at(-1) ?? 0;
}

function rateGate(
  rounds: readonly Round[],
  { achieved, askedPerSecond }: ReturnType<typeof pool>,
  rule: PerfRule,
): Gate {
  const name = 'rate';
  const text = `${Math.round(achieved * askedPerSecond)} of ${askedPerSecond} requests/s were answered`;
  if (!(achieved < rule.achievedMin)) return { name, outcome: 'passed', text };
  // Who cannot take the rate cannot in any round.
  const short = rounds.filter(
    ({ after: { achievedPerSecond: is, askedPerSecond: asked } }) => is < rule.achievedMin * asked,
  );
  return isSteady(short.length, rounds.length)
    ? { name, outcome: 'failed', text }
    : { name, outcome: 'undecided', text: `${text}, but only in ${short.length} of ${rounds.length} rounds too few` };
}

function pool(sides: readonly Side[]) {
  const sum = (of: (side: Side) => number) => sides.reduce((total, side) => total + of(side), 0);
  return {
    askedPerSecond: sides[0]?.askedPerSecond ?? 0,
    achieved: sum((side) => side.achievedPerSecond) / sum((side) => side.askedPerSecond),
    errors: sum(({ errors }) => errors) / sum(({ requests }) => requests),
    ms: Float64Array.from(sides.flatMap((side) => [...risingOf(side).all])).sort(),
  };
}
