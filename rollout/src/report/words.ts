/** Numbers as people read them. */

/** `1 h 5 min`, `1 m 12 s`, `40 s`: two units at most. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} m ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A natural log of odds as `31:1` or `1:3`. */
export function odds(log: number): string {
  const ratio = Math.exp(Math.abs(log));
  const shown = ratio >= 1e6 ? '1000000+' : ratio >= 10 ? String(Math.round(ratio)) : String(Number(ratio.toFixed(1)));
  return log >= 0 ? `${shown}:1` : `1:${shown}`;
}

/** A ratio as percent with two digits, or a dash when nothing was counted. */
export function failedRatio(failed: number, requests: number): string {
  return requests === 0 ? '-' : `${((100 * failed) / requests).toFixed(2)} %`;
}

/** The first 8 digits of a revision, as everywhere. */
export function short(revision: string): string {
  return revision.slice(0, 8);
}
