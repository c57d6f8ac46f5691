import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const seconds = 5;
const clients = 50;

/** What hey says, and whether it sent less than it was asked for: `undefined` if it kept up, or could not be asked. */
export type Opinion = { readonly words: string; readonly underDelivered: string | undefined };

/**
 * A second opinion by another program (rakyll/hey). It sends a request only when the last one is answered, so it shows less
 * than was asked for instead of a standstill; that is said. Without hey there is no second opinion, which is said too.
 */
export async function heyCheck(url: string, perSecond: number, signal: AbortSignal): Promise<Opinion> {
  const args = ['-z', `${seconds}s`, '-c', `${clients}`, '-q', `${perSecond / clients}`, url];
  try {
    const { stdout } = await promisify(execFile)('hey', args, { env: process.env, signal, maxBuffer: 4 * 1_048_576 });
    return opinionOf(stdout, perSecond);
  } catch (error) {
    signal.throwIfAborted();
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return unasked(missing ? 'hey is not installed' : `hey failed: ${String(error)}`);
  }
}

/** What hey's report says. */
export function opinionOf(report: string, perSecond: number): Opinion {
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
  const p99 = /99% in ([\d.]+) secs/.exec(report)?.[1];
  const bad = [...report.matchAll(/^\s+\[(\d+)\]\s+(\d+) responses/gm)].filter(([, status]) => Number(status) >= 500);
  const failed = bad.reduce((sum, [, , count]) => sum + Number(count), 0);
  if (Number.isNaN(rate)) return unasked('the report of hey has no rate');
  const words = `hey: ${rate.toFixed(0)} requests/s, p99 ${p99 === undefined ? '?' : Math.round(Number(p99) * 10_000) / 10} ms, ${failed} failed`;
  const isLess = rate < perSecond * 0.98;
  return {
    words,
    underDelivered: isLess ? `hey under-delivered: it sent ${rate.toFixed(0)} of ${perSecond} requests/s` : undefined,
  };
}

function unasked(why: string): Opinion {
  return { words: `not cross-checked: ${why}`, underDelivered: undefined };
}
