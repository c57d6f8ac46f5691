import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const seconds = 5;
const clients = 50;

/**
 * A second opinion by another program (rakyll/hey). It sends a request only when the last one is answered, so it shows less
 * than was asked for instead of a standstill; that is said. Without hey there is no second opinion, which is said too.
 */
export async function heyCheck(url: string, perSecond: number, signal: AbortSignal): Promise<readonly string[]> {
  const args = ['-z', `${seconds}s`, '-c', `${clients}`, '-q', `${perSecond / clients}`, url];
  try {
    const { stdout } = await promisify(execFile)('hey', args, { signal, maxBuffer: 4 * 1_048_576 });
    return wordsOf(stdout, perSecond);
  } catch (error) {
    signal.throwIfAborted();
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return [missing ? 'not cross-checked: hey is not installed' : `not cross-checked: hey failed: ${String(error)}`];
  }
}

/** What hey's report says. */
export function wordsOf(report: string, perSecond: number): readonly string[] {
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
  const p99 = /99% in ([\d.]+) secs/.exec(report)?.[1];
  const bad = [...report.matchAll(/^\s+\[(\d+)\]\s+(\d+) responses/gm)].filter(([, status]) => Number(status) >= 500);
  const failed = bad.reduce((sum, [, , count]) => sum + Number(count), 0);
  if (Number.isNaN(rate)) return ['not cross-checked: the report of hey has no rate'];
  const words = `hey: ${rate.toFixed(0)} requests/s, p99 ${p99 === undefined ? '?' : Math.round(Number(p99) * 10_000) / 10} ms, ${failed} failed`;
  return rate < perSecond * 0.98
    ? [words, `hey under-delivered: it sent ${rate.toFixed(0)} of ${perSecond} requests/s`]
    : [words];
}
