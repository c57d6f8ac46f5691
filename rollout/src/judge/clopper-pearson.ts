/**
 * The rate that `failures` of `requests` still allow at `confidence`: the exact one-sided upper bound of Clopper and
 * Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial" (1934). 1 if nothing or
 * nothing else was seen.
 */
export function upperBound(
  { requests, failures }: { readonly requests: number; readonly failures: number },
  confidence: number,
): number {
  if (failures >= requests) return 1;
  // P(X <= f) at rate p is I_(1-p)(n-f, f+1), so 1 - I_p(f+1, n-f), which falls in p: bisect.
  let low = failures / requests;
  let high = 1;
  for (let round = 0; round < roundsMax && high - low > precision * high; round++) {
    const p = low > 0 && high > 2 * low ? Math.sqrt(low * high) : (low + high) / 2;
    if (incompleteBeta({ a: failures + 1, b: requests - failures, x: p }) < confidence) low = p;
    else high = p;
  }
  return high;
}

const roundsMax = 200;
const precision = 1e-13;

type BetaArguments = { readonly a: number; readonly b: number; readonly x: number };

/** Regularised incomplete beta function I_x(a, b), by the continued fraction on the side where it converges fast. */
function incompleteBeta({ a, b, x }: BetaArguments): number {
  const mirrored = x > (a + 1) / (a + b + 2);
  const side = mirrored ? { a: b, b: a, x: 1 - x } : { a, b, x };
  const logFront =
    logGamma(a + b) - logGamma(a) - logGamma(b) + side.a * Math.log(side.x) + side.b * Math.log1p(-side.x);
  const value = (Math.exp(logFront) / side.a) * betaFraction(side);
  return mirrored ? 1 - value : value;
}

const termsMax = 100_000;
const tiny = 1e-300;

/** Lentz's evaluation of the continued fraction of the incomplete beta function (DLMF 8.17.22). */
function betaFraction({ a, b, x }: BetaArguments): number {
  let c = 1;
  let d = 1 / nonzero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= termsMax; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonzero(1 + even * d);
    c = nonzero(1 + even / c);
    value *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonzero(1 + odd * d);
    c = nonzero(1 + odd / c);
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return value;
}

function nonzero(value: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/** ln Gamma(z) for z > 0: Stirling's series (DLMF 5.11.1), shifted up to where it is exact to the last digits. */
function logGamma(z: number): number {
  let shift = 0;
  let at = z;
  for (; at < 15; at++) shift += Math.log(at);
  const inverse = 1 / (at * at);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
