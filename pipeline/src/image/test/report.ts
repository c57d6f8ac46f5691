import { type Digest, firstOf, isHeadgateError } from '@headgate/rollout';

/** What the test of one image found. */
export type ImageTestReport = {
  readonly service: string;
  readonly digest: Digest;
  /** No check failed. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
};

export type Check = Finding & { readonly name: string; readonly ms: number };

/** `detail` is one sentence for a person: what was seen, or why nothing was looked at. */
export type Finding = { readonly outcome: 'passed' | 'failed' | 'skipped'; readonly detail: string };

export type CheckPlan = {
  readonly name: string;
  readonly find: (signal: AbortSignal) => Promise<Finding>;
  /** 45 s unless given. */
  readonly maxMs?: number;
};

const checkMaxMs = 45_000;

export function passed(detail: string): Finding {
  return { outcome: 'passed', detail };
}

export function failed(detail: string): Finding {
  return { outcome: 'failed', detail };
}

export function skipped(detail: string): Finding {
  return { outcome: 'skipped', detail };
}

/** Failed with every problem in one sentence, or passed with `detail`. */
export function expectNone(problems: readonly string[], detail: string): Finding {
  const shown = problems.slice(0, 5).join('; ');
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : '';
  return problems.length === 0 ? passed(detail) : failed(`${shown}${more}`);
}

/** One after the other, since they share one instance of the service. After a failed first one the others mean nothing. */
export async function runChecks([first, ...others]: readonly CheckPlan[], signal: AbortSignal): Promise<Check[]> {
  if (first === undefined) return [];
  const checks = [await runCheck(first, signal)];
  const stop = checks[0]?.outcome === 'failed' ? skipped(`as "${first.name}" failed`) : undefined;
  for (const { name, find } of others) {
    checks.push(await runCheck({ name, find: async (within) => stop ?? find(within) }, signal));
  }
  return checks;
}

async function runCheck({ name, find, maxMs = checkMaxMs }: CheckPlan, signal: AbortSignal): Promise<Check> {
  signal.throwIfAborted();
  const start = performance.now();
  const deadline = AbortSignal.timeout(maxMs);
  const finding = await find(firstOf([signal, deadline])).catch((error: unknown) => {
    signal.throwIfAborted();
    // A server of our own that does not start says nothing about the image.
    if (isHeadgateError(error)) throw error;
    return failed(deadline.aborted ? `it was not done within ${maxMs / 1_000} s` : messageOf(error));
  });
  return { name, ...finding, ms: Math.round(performance.now() - start) };
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
