import { HeadgateError } from '../errors.ts';

/** What every journal refuses to hold. The head's limit is that of a Kubernetes ConfigMap, so that what runs here runs there. */
export const limits = {
  headBytes: 1_000_000,
  /** One call of `appendEvidence`. */
  chunkBytes: 1_000_000,
  /** Evidence of one release. */
  evidenceBytes: 64_000_000,
  releasesKept: 10,
  wishes: 100,
} as const;

/** @throws {HeadgateError} `JOURNAL_UNWRITABLE` if `count` is over `limit` */
export function refuseOver(limit: number, count: number, what: string, hint: string): void {
  if (count <= limit) return;
  throw new HeadgateError(
    'JOURNAL_UNWRITABLE',
    `Cannot write ${what} as there may be at most ${limit}: current value is "${count}"`,
    { hint },
  );
}
