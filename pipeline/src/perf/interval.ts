const resamples = 4_000;

/** Chance that the bound below is too high, and that the one above is too low. */
export type Miss = { readonly below: number; readonly above: number };

/**
 * Of the mean, by resampling rounds (the studentized bootstrap of Efron): requests within a round depend on each other,
 * rounds do not. Each resample counts in units of its own spread, so that few or wild rounds make the interval wide.
 */
export function interval(values: readonly number[], miss: Miss): readonly [number, number, number] {
  const random = randomFrom(1);
  const { floor } = Math; // Looked up once, for it is asked half a million times.
  const own = momentsOf(Float64Array.from(values));
  const drawn = new Float64Array(values.length);
  const pulls = new Float64Array(resamples).map(() => {
    for (let n = 0; n < drawn.length; n++) drawn[n] = values[floor(random() * values.length)] ?? Number.NaN;
    const { mean, error } = momentsOf(drawn);
    return error > 0 ? (mean - own.mean) / error : 0;
  });
  pulls.sort();
  const at = (part: number) => own.mean - percentile(pulls, part) * own.error;
  return [at(1 - miss.below), own.mean, at(miss.above)];
}

/** Mean, and its standard error. */
function momentsOf(values: Float64Array): { mean: number; error: number } {
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** Of sorted values; nearest rank. */
export function percentile(rising: Float64Array, part: number): number {
  return rising[Math.min(rising.length - 1, Math.max(0, Math.ceil(part * rising.length) - 1))] ?? Number.NaN;
}

export function sorted(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** Equal rounds, equal verdict: chance is a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  const { imul } = Math;
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const percentiles = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const;

/** A neighbour that happens to disturb one side in some rounds does not reach nearly all of them. */
export function isSteady(rounds: number, all: number): boolean {
  return rounds >= all - Math.floor(all / 16);
}
