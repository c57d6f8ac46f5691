/** Seeded chance for simulations of the judge. A seed replays a run exactly. */
export type Chance = () => number;

/** Uniform numbers in [0, 1) by sfc32 (Doty-Humphrey's small fast counting generator of PractRand). */
export function seeded(seed: number): Chance {
  let a = 0x9e3779b9;
  let b = seed | 0;
  let c = 0x243f6a88;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

/** The number of failures among `n` requests that fail with probability `p` each: exact inversion, in pieces small enough not to underflow. */
export function binomial(chance: Chance, n: number, p: number): number {
  if (p <= 0 || n <= 0) return 0;
  if (p > 0.5) return n - binomial(chance, n, 1 - p);
  const piece = Math.max(1, Math.floor(100 / p));
  let total = 0;
  for (let left = n; left > 0; left -= piece) total += inverted(chance, Math.min(left, piece), p);
  return total;
}

function inverted(chance: Chance, n: number, p: number): number {
  const odds = p / (1 - p);
  let probability = (1 - p) ** n;
  let rest = chance();
  let k = 0;
  while (rest >= probability && k < n) {
    rest -= probability;
    k++;
    probability *= (odds * (n - k + 1)) / k;
  }
  return k;
}
