import type { Records } from './journal.ts';

/** `reopen` is another process's view of the same records. */
export type Opened = { readonly records: Records; reopen(): Records };

export function signal(): AbortSignal {
  return AbortSignal.timeout(10_000);
}
