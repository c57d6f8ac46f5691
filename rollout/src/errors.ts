/** What a person can act on, and what is our own bug. */

/**
 * Every failure of the world that Headgate reports, with the exit code of the process that meets it.
 * Exit codes are one table for the whole product (README, "Exit codes").
 */
export const exitCodes = {
  USAGE: 64,
  SPEC_INVALID: 64,
  UNKNOWN_KIND: 64,
  MANIFESTS_INVALID: 64,
  STEP_FAILED: 1,
  ROLLBACK_FAILED: 14,
  PERF_UNDECIDED: 10,
  TRAFFIC_WRITE_REFUSED: 69,
  TRAFFIC_UNREACHABLE: 69,
  WORKLOAD_UNREACHABLE: 69,
  QUEUE_UNREACHABLE: 69,
  QUEUE_CONFIG_DIFFERS: 12,
  LANES_DIFFER: 12,
  METRICS_UNREACHABLE: 69,
  REGISTRY_UNREACHABLE: 69,
  REGISTRY_REFUSED: 69,
  IMAGE_CORRUPT: 12,
  JOURNAL_UNREADABLE: 69,
  JOURNAL_UNWRITABLE: 69,
  TOOL_MISSING: 69,
  SERVER_MISSING: 69,
  SERVER_VERSION: 69,
  SERVER_START: 69,
  SUPERVISOR_UNREACHABLE: 69,
  CLUSTER_UNREACHABLE: 69,
  CLUSTER_REFUSED: 69,
  LOCK_HELD: 75,
  REFUSED: 12,
  UNSIGNED: 12,
  QUARANTINED: 11,
  ROLLED_BACK: 11,
  UPDATE_FAILED: 13,
  UNAPPROVED: 20,
  HELD: 4,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof exitCodes;

/** A failure the user can act on: what we tried, why it failed (`cause`), what to do (`hint`). Compare by `code`. */
export class HeadgateError extends Error {
  override readonly name = 'HeadgateError';
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, { hint, cause }: { hint: string; cause?: unknown }) {
    super(message, { cause });
    this.code = code;
    this.hint = hint;
  }
}

/** By name: `instanceof` fails between realms, and between two loaded copies of this file. */
export function isHeadgateError(error: unknown): error is HeadgateError {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'HeadgateError';
}

/** A cluster did not answer, whatever could not be done for that. It may come back by itself; one that refuses does not change its mind. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (isHeadgateError(error) && error.code === 'CLUSTER_UNREACHABLE') || isUnreachable(error.cause);
}

/** A cluster has answered no, whatever could not be done for that. */
export function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (isHeadgateError(error) && error.code === 'CLUSTER_REFUSED') || isRefused(error.cause);
}

/** Our own bug: stop deciding. A driver then sets the candidate to 0, as on SIGTERM. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Stays on in production. @throws {InvariantError} if `condition` does not hold */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Proves at compile time that a `switch` is complete, and stops at run time if a journal says otherwise. */
export function unreachable(value: never): never {
  throw new InvariantError(`Cannot go on as this value has no place here: current value is ${JSON.stringify(value)}`);
}
