import { describe, expect, test } from '@jest/globals';
import { betterRates, failureArms, worseRates } from './arms.ts';
import { type Bet, divergence, type Line, lineAt, logBet, project } from './block.ts';
import { presets } from './presets.ts';

const { tolerated, unacceptable } = presets.default;

/** One block of each shape, with the figures to five or six digits. */
const vectors = [
  {
    side: worseRates,
    line: tolerated,
    block: [95, 1, 5, 1],
    a: 0.01,
    arm: 0,
    q: 0.0193939,
    x: 0.0103777,
    logS: 0.45553,
  },
  {
    side: worseRates,
    line: tolerated,
    block: [95, 1, 5, 1],
    a: 0.01,
    arm: 3,
    q: 0.225313,
    x: 0.0204442,
    logS: 1.63616,
  },
  { side: worseRates, line: tolerated, block: [95, 1, 5, 1], a: 0.01, arm: 4, q: 0.95, x: 0.056628, logS: -6.20584 },
  {
    side: worseRates,
    line: tolerated,
    block: [50, 0, 50, 3],
    a: 0.001,
    arm: 2,
    q: 0.0110935,
    x: 0.00534708,
    logS: 1.65338,
  },
  {
    side: worseRates,
    line: presets.strict.tolerated,
    block: [950, 3, 50, 2],
    a: 0.002,
    arm: 1,
    q: 0.0059761,
    x: 0.0021988,
    logS: 1.72202,
  },
  {
    side: betterRates,
    line: unacceptable,
    block: [95, 1, 5, 0],
    a: 0.01,
    arm: 0,
    q: 0.005,
    x: 0.0094435,
    logS: 0.07613,
  },
  {
    side: betterRates,
    line: unacceptable,
    block: [750, 6, 250, 2],
    a: 0.008,
    arm: 2,
    q: 0.0098,
    x: 0.00678698,
    logS: 0.55339,
  },
];

test.each(vectors)('logBet() of $block at a = $a, arm $arm is $logS', ({ side, line, block, a, arm, q, x, logS }) => {
  const [nL, fL, nC, fC] = block as [number, number, number, number];
  const boundary = lineAt(line, a);
  const rate = side === worseRates ? worseRates(failureArms, boundary)[arm]! : betterRates(a, boundary)[arm]!;

  const bet = { a, q: rate, line };

  expect(Math.abs(rate / q - 1)).toBeLessThan(5e-6);
  expect(Math.abs(project({ nL, nC }, bet) / x - 1)).toBeLessThan(5e-6);
  expect(Math.abs(logBet({ nL, fL, nC, fC }, bet) - logS)).toBeLessThan(5.1e-6);
});

describe('project()', () => {
  test('gives the closed form where the line is the diagonal', () => {
    const bet = { a: 0.01, q: 0.4, line: { rho: 1, delta: 0 } };
    expect(project({ nL: 30, nC: 10 }, bet)).toBeCloseTo((30 * 0.01 + 10 * 0.4) / 40, 12);
  });

  test('is the minimum of the objective over a wide range of rates and sizes', () => {
    for (const bet of everyBet([1e-7, 1e-4, 0.01, 0.3, 0.9])) {
      for (const [nL, nC] of [
        [1, 1],
        [1, 1e6],
        [1e6, 1],
        [500, 20],
      ] as const) {
        const objective = (x: number) => nL * divergence(bet.a, x) + nC * divergence(bet.q, lineAt(bet.line, x));
        const x = project({ nL, nC }, bet);
        // The objective is flat at its minimum: compare a little to either side.
        expect(objective(x)).toBeLessThanOrEqual(objective(x * (1 + 1e-4)) * (1 + 1e-12));
        expect(objective(x)).toBeLessThanOrEqual(objective(x * (1 - 1e-4)) * (1 + 1e-12));
        expect(lineAt(bet.line, x)).toBeLessThan(1);
      }
    }
  });
});

test('no bet gains on average on its null: both binomials enumerated, mixed requests and unequal blocks included', () => {
  let most = 0;
  for (const bet of everyBet([1e-7, 0.0005, 0.01, 0.2, 0.6, 0.95])) {
    for (const sizes of [
      [1, 1],
      [4, 4],
      [12, 3],
      [3, 12],
      [30, 4],
    ] as const) {
      const wealth = wealthOf(bet, sizes);
      for (const [pL, pC] of nullOf(bet)) {
        const expectations = [0, 0.9].map((mix) => expectation(wealth, [spread(pL, mix), spread(pC, mix)]));
        most = Math.max(most, ...expectations);
      }
    }
  }
  expect(most).toBeGreaterThan(0.999); // On the boundary the bound is sharp.
  expect(most).toBeLessThanOrEqual(1 + 1e-6);
});

/** Pairs of rates that the bet must not gain on: on its line and beyond it. */
function nullOf({ a, q, line }: Bet): (readonly [number, number])[] {
  const worse = q > lineAt(line, a);
  return [0, 0.001, 0.02, 0.15, 0.5, 0.8].flatMap((pL) => {
    const on = lineAt(line, pL);
    // Nothing is unacceptable where the line leaves the square: the judge does not promote there.
    const rates = worse ? [Math.min(1, on), on / 2, 0] : on > 1 ? [] : [on, (1 + on) / 2, 1];
    return rates.map((pC) => [pL, Math.min(1, pC)] as const);
  });
}

function everyBet(rates: readonly number[]): Bet[] {
  const bets = (line: Line, a: number, qs: readonly (number | undefined)[]) =>
    qs.flatMap((q) => (q === undefined ? [] : [{ a, q, line }]));
  return rates.flatMap((a) =>
    Object.values(presets).flatMap((lines) => [
      ...bets(lines.tolerated, a, worseRates(failureArms, lineAt(lines.tolerated, a))),
      ...bets(lines.unacceptable, a, betterRates(a, lineAt(lines.unacceptable, a))),
    ]),
  );
}

/** Two kinds of requests with mean `p`: as far apart as `mix` of what is possible. */
function spread(p: number, mix: number): readonly [number, number] {
  const away = mix * Math.min(p, 1 - p);
  return [p - away, p + away];
}

/** S of a block of these sizes, by live and candidate failures. */
function wealthOf(bet: Bet, [nL, nC]: readonly [number, number]): number[][] {
  return Array.from({ length: nL + 1 }, (_, fL) =>
    Array.from({ length: nC + 1 }, (_, fC) => Math.exp(logBet({ nL, fL, nC, fC }, bet))),
  );
}

/** E[S] where the requests take turns between the two rates of their lane. */
function expectation(wealth: number[][], [live, candidate]: readonly (readonly [number, number])[]): number {
  const likelyL = failuresOf(wealth.length - 1, live!);
  const likelyC = failuresOf(wealth[0]!.length - 1, candidate!);
  return wealth.reduce(
    (sum, row, fL) => sum + likelyL[fL]! * row.reduce((inner, s, fC) => inner + likelyC[fC]! * s, 0),
    0,
  );
}

/** The distribution of failures among `n` requests; an odd one out has the mean rate, so that the block's mean is exact. */
function failuresOf(n: number, [low, high]: readonly [number, number]): number[] {
  let likely = [1];
  for (let i = 0; i < n; i++) {
    const p = n % 2 === 1 && i === n - 1 ? (low + high) / 2 : i % 2 === 0 ? low : high;
    likely = [...likely, 0].map((same, f) => same * (1 - p) + (likely[f - 1] ?? 0) * p);
  }
  return likely;
}
