/**
 * The bet of one block: a likelihood ratio against the KL projection of the alternative on the boundary of the null.
 *
 * Source: Turner, Ly, Grunwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
 * stopping" (JSPI 2024), extended from pC = pL to a line with slope and offset. Why E[S | past] <= 1 on the whole null:
 * E[S] is a product of factors that are positive and linear in each request's own probability, so its log is concave;
 * at the projection it is 0, and the first-order condition of the projection says that it cannot rise into the null.
 * It follows that the live rate may move between blocks, endpoints may differ inside one, and any split is allowed.
 */

/** Counts of one block: requests and failures, live and candidate. */
export type Block = { readonly nL: number; readonly fL: number; readonly nC: number; readonly fC: number };

/** pC = rho pL + delta. */
export type Line = { readonly rho: number; readonly delta: number };

/** `a`: the live rate expected from the past. `q`: the candidate's rate that is bet on, on the far side of `line` at `a`. */
export type Bet = { readonly a: number; readonly q: number; readonly line: Line };

type Sizes = Pick<Block, 'nL' | 'nC'>;

/** Relative length of the last step; what is left after it is smaller by the square. */
const stepMin = 1e-9;
const roundsMax = 200;

/** The line at live rate `p`. */
export function lineAt(line: Line, p: number): number {
  return line.rho * p + line.delta;
}

/** log S of a block with at least one request in each lane, in nats. */
export function logBet(block: Block, bet: Bet): number {
  const { nL, fL, nC, fC } = block;
  const x = project(block, bet);
  const y = lineAt(bet.line, x);
  return logRatio({ n: nL, f: fL }, bet.a, x) + logRatio({ n: nC, f: fC }, bet.q, y);
}

/** Log likelihood ratio of `n` requests with `f` failures: rate `p` against rate `p0`. */
export function logRatio({ n, f }: { readonly n: number; readonly f: number }, p: number, p0: number): number {
  return f * Math.log(p / p0) + (n - f) * (Math.log1p(-p) - Math.log1p(-p0));
}

/** KL(a, b) of two Bernoulli rates, in nats. */
export function divergence(a: number, b: number): number {
  return (a === 0 ? 0 : a * Math.log(a / b)) + (a === 1 ? 0 : (1 - a) * (Math.log1p(-a) - Math.log1p(-b)));
}

/**
 * The live rate x that minimises nL KL(a, x) + nC KL(q, y) over the line y = rho x + delta. Safeguarded Newton that
 * always starts from the middle of its bracket, so that the result does not depend on history. On the diagonal it is the
 * mean of `a` and `q` by size. Sizes need not be whole.
 */
export function project(sizes: Sizes, bet: Bet): number {
  const { nL, nC } = sizes;
  if (bet.line.rho === 1 && bet.line.delta === 0) return (nL * bet.a + nC * bet.q) / (nL + nC);
  let { low, high } = bracket(sizes, bet);
  let x = Math.sqrt(low * high);
  for (let round = 0; round < roundsMax; round++) {
    const { value, slope } = gradient(sizes, bet, x);
    if (value > 0) high = x;
    else low = x;
    const newton = x - value / slope;
    const next = newton >= low && newton <= high ? newton : Math.sqrt(low * high);
    const done = Math.abs(next - x) <= stepMin * x;
    x = next;
    if (done) break;
  }
  return x;
}

/** The root lies between `a` and the rate at which the line meets `q`. The second lower bound keeps 0 out where that rate is negative. */
function bracket({ nL, nC }: Sizes, { a, q, line }: Bet): { low: number; high: number } {
  const meets = (q - line.delta) / line.rho;
  if (meets >= a) return { low: a, high: meets };
  const pull = (nC * line.rho) / (1 - lineAt(line, a)); // More than the candidate's term can be below `a`.
  return { low: Math.max(meets, (nL * a) / (nL + pull)), high: a };
}

/** First and second derivative of the objective in x; the second is positive. */
function gradient({ nL, nC }: Sizes, { a, q, line }: Bet, x: number): { value: number; slope: number } {
  const y = lineAt(line, x);
  const vx = x * (1 - x);
  const vy = y * (1 - y);
  const value = (nL * (x - a)) / vx + (nC * line.rho * (y - q)) / vy;
  const slope =
    (nL * (x * x - 2 * a * x + a)) / (vx * vx) + (nC * line.rho * line.rho * (y * y - 2 * q * y + q)) / (vy * vy);
  return { value, slope };
}
