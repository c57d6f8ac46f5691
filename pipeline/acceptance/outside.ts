import type { Head } from '@headgate/rollout';
import { compare, isFailed, type Ledger, readRows } from '../src/perf/ledger.ts';
import type { Exchange, Load } from '../src/perf/open-loop.ts';
import type { Report } from './report.ts';

type Seen = {
  readonly load: Pick<Load, 'stop'>;
  readonly origin: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly head: () => Promise<Head>;
  /** Ids of the revisions whose own errors are no surprise; by default all that were rolled back. */
  readonly mayFail?: (head: Head) => readonly string[];
};

const rolledBack = ({ quarantined }: Head) => quarantined.map(({ revision }) => revision);

/**
 * Stops the outside client and checks what it saw against what the service kept: each POST that was answered 2xx has exactly one row, each
 * request has an answer, and an error counts as a bad version's own only if the mark of the answer says so.
 */
export async function checkOutside(seen: Seen, report: Report): Promise<Ledger> {
  const { load, origin, headers = {}, head, mayFail = rolledBack } = seen;
  const exchanges = await load.stop();
  const ledger = compare(exchanges, await readRows(origin, AbortSignal.timeout(30_000), headers));
  const bad = new Set(mayFail(await head()));
  const others = Object.entries(ledger.failedBy).filter(([revision]) => !bad.has(revision));
  report.check(
    'POST 2xx and rows are one to one',
    ledger.lost.length + ledger.doubled.length + ledger.untold.length === 0,
    `${ledger.posts} POST, ${ledger.lost.length} lost, ${ledger.doubled.length} twice, ${ledger.untold.length} without a 2xx`,
  );
  report.check(
    'every request is answered',
    ledger.unanswered.length === 0,
    `${ledger.requests} requests, ${ledger.unanswered.length} unanswered${ledger.unanswered.slice(0, 3).map(told).join('')}`,
  );
  const failed = exchanges.filter((one) => isFailed(one) && !bad.has(one.revision ?? 'none'));
  report.check(
    'nobody but the bad versions fails',
    others.length === 0,
    `${JSON.stringify(others)}${failed.slice(0, 3).map(told).join('')}`,
  );
  return ledger;
}

function told({ method, at, ms, status, error }: Exchange): string {
  return `\n    ${method} at ${new Date(at).toISOString()}, after ${Math.round(ms)} ms: ${status ?? error}`;
}
