/** Density of the standard normal distribution. */
export function density(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/**
 * Its upper tail, 1 - Phi(z), to 1e-10 and better: the series of the error function near 0, and Lentz's continued
 * fraction farther out, where the series would cancel (Abramowitz, Stegun, "Handbook of mathematical functions", 26.2.10 and 26.2.14).
 */
export function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  return z < 3 ? 0.5 - density(z) * series(z) : density(z) / fraction(z);
}

const termsMax = 200;

/** z + z^3/3 + z^5/(3*5) + … */
function series(z: number): number {
  let term = z;
  let sum = z;
  for (let n = 1; n < termsMax && term > 1e-17 * sum; n++) {
    term *= (z * z) / (2 * n + 1);
    sum += term;
  }
  return sum;
}

/** z + 1/(z + 2/(z + 3/(z + …))), from its far end. */
function fraction(z: number): number {
  let value = z;
  for (let n = termsMax; n >= 1; n--) value = z + n / value;
  return value;
}
