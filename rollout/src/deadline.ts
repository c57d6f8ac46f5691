/**
 * Aborts with the first of these signals. `AbortSignal.any` alone holds its sources weakly: on Node 20 a timeout that
 * nobody else holds is collected as garbage, and whoever waits then waits for ever.
 */
export function firstOf(signals: readonly AbortSignal[]): AbortSignal {
  const first = AbortSignal.any([...signals]);
  sources.set(first, signals);
  return first;
}

/** Aborts with `signal`, and after `ms` at the latest. */
export function withDeadline(signal: AbortSignal, ms: number): AbortSignal {
  return firstOf([signal, AbortSignal.timeout(ms)]);
}

/** Alive for as long as the signal is that waits for them. */
const sources = new WeakMap<AbortSignal, readonly AbortSignal[]>();
