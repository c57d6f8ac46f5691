import { readFile } from 'node:fs/promises';
import { HeadgateError } from '../errors.ts';
import { hasCode } from './files.ts';

/**
 * Names this process among all that ran on this machine: boot, process id, and start time in ticks since the boot.
 * A process id alone is given again and again. Linux only; who shares a folder shares a PID namespace.
 * @throws {HeadgateError} `JOURNAL_UNWRITABLE` without /proc
 */
export async function ownMark(): Promise<string> {
  const mark = await markOf(process.pid);
  if (mark !== undefined) return mark;
  throw new HeadgateError(
    'JOURNAL_UNWRITABLE',
    `Cannot lock files as /proc must name this process: current value is "${process.platform}"`,
    { hint: 'run the local platform on Linux with /proc mounted' },
  );
}

/**
 * True while the process of `mark` runs, or holds files and ports. One that ended and was not yet collected by its parent (a zombie)
 * does neither; one whose first thread alone has ended looks like it and does both.
 */
export async function isAlive(mark: string): Promise<boolean> {
  return (await markOf(pidOf(mark))) === mark;
}

export function pidOf(mark: string): number {
  return Number(mark.split('/')[1]);
}

/** `undefined` if no such process runs. */
export async function markOf(pid: number): Promise<string | undefined> {
  const stat = await orGone(readFile(`/proc/${pid}/stat`, 'utf8'));
  const boot = await orGone(readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  if (stat === undefined || boot === undefined) return undefined;
  // The second field, the command's name, may hold blanks and parentheses: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const threads = Number(fields[17]);
  const started = fields[19];
  const hasEnded = state === 'X' || (state === 'Z' && threads <= 1);
  return hasEnded ? undefined : `${boot.trim()}/${pid}/${started}`;
}

/** Only these two say that the process ended; any other failure must not look like a death. */
async function orGone(read: Promise<string>): Promise<string | undefined> {
  try {
    return await read;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}
