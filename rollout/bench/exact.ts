import { betterRates, failureArms, worseRates } from '../src/judge/arms.ts';
import { type Bet, type Block, type Line, lineAt, logBet } from '../src/judge/block.ts';
import { presets } from '../src/judge/presets.ts';
import { report } from './part.ts';

/** A0: E[S] over both binomials, computed whole and not drawn, at null points of every line, each arm, blocks of unequal size. */
export function exact(): void {
  const sizes = [
    [1, 1],
    [9, 2],
    [3, 12],
    [40, 3],
    [25, 25],
  ] as const;
  const rates = [0.0005, 0.003, 0.02, 0.1, 0.4];
  const points = sizes.flatMap(([nL, nC]) => rates.map((p) => ({ nL, nC, p })));
  for (const [name, { tolerated, unacceptable }] of Object.entries(presets)) {
    for (const [side, line] of Object.entries({ tolerated, unacceptable })) {
      const bets = [0.0008, 0.01, 0.08].flatMap((a) => betsAt(side === 'tolerated', a, line));
      const all = bets.flatMap((bet) => points.map(({ nL, nC, p }) => expected({ nL, nC }, bet, p)));
      const measured = Math.max(...all);
      report({ name: `A0 E[S] on the ${side} line, ${name}, the largest`, measured, bound: 1 + 1e-6, unit: 'x' });
    }
  }
}

function betsAt(isRollback: boolean, a: number, line: Line): readonly Bet[] {
  const rates = isRollback ? worseRates(failureArms, lineAt(line, a)) : betterRates(a, lineAt(line, a));
  return rates.flatMap((q) => (q === undefined ? [] : [{ a, q, line }]));
}

/** Half of each lane's requests fail at twice the rate of the other half: a mean of `p` on live, and the line's on the candidate. */
function expected({ nL, nC }: Pick<Block, 'nL' | 'nC'>, bet: Bet, p: number): number {
  const pC = lineAt(bet.line, p);
  if (pC >= 1) return 0;
  const live = mixed(nL, p);
  const candidate = mixed(nC, pC);
  let sum = 0;
  for (const [fL, chanceL] of live.entries()) {
    for (const [fC, chanceC] of candidate.entries())
      sum += chanceL * chanceC * Math.exp(logBet({ nL, fL, nC, fC }, bet));
  }
  return sum;
}

/** Chances of 0, 1, … failures of `n` requests whose rates are unequal with mean `p`. */
function mixed(n: number, p: number): readonly number[] {
  const spread = n > 1 ? Math.min(p / 3, (1 - p) / 3) : 0;
  let chances = [1];
  for (let i = 0; i < n; i++) {
    const middle = n % 2 === 1 && i === n - 1;
    const rate = middle ? p : p + (i % 2 === 0 ? spread : -spread);
    const next = new Array<number>(chances.length + 1).fill(0);
    for (const [f, chance] of chances.entries()) {
      next[f] = (next[f] ?? 0) + chance * (1 - rate);
      next[f + 1] = (next[f + 1] ?? 0) + chance * rate;
    }
    chances = next;
  }
  return chances;
}
