import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Before others on this machine: they get what is left over, and a busy neighbour does no longer make a version look slow. */
export interface Priority extends AsyncDisposable {
  /** `undefined`: it is raised. Else why it is not. */
  readonly lacking: string | undefined;
  /** Before what was started in the meantime, until the end: who sends and keeps the time must not wait for those that it measures. */
  lead(): Promise<AsyncDisposable>;
}

/** As the kernel numbers them (sched.h). */
const policies: Readonly<Record<number, string>> = { 0: '--other', 1: '--fifo', 2: '--rr', 3: '--batch', 5: '--idle' };

/**
 * Real-time priority for this process and what it starts from now on, until the end. Without the right to it (CAP_SYS_NICE or a limit
 * RTPRIO) or without `chrt` all stays as it is.
 */
export async function raisePriority(pid = process.pid): Promise<Priority> {
  const { policy, level } = await scheduling(pid);
  const way = policies[policy];
  if (way === undefined) return unraised('nothing is known of its priority');
  const first = level + 1; // Somebody may have given it one already.
  try {
    await change(pid, '--rr', first);
  } catch (error) {
    return unraised(wordsOf(error));
  }
  return {
    lacking: undefined,
    async lead() {
      await change(pid, '--rr', first + 1);
      return { [Symbol.asyncDispose]: () => change(pid, '--rr', first) };
    },
    [Symbol.asyncDispose]: () => change(pid, way, level),
  };
}

/** Somebody wants it so. */
export function usualPriority(): Priority {
  return unraised('HEADGATE_PRIORITY is "usual"');
}

function unraised(lacking: string): Priority {
  const nothing = { [Symbol.asyncDispose]: async () => {} };
  return { lacking, lead: async () => nothing, ...nothing };
}

async function change(pid: number, way: string, level: number): Promise<void> {
  await promisify(execFile)('chrt', ['--all-tasks', way, '--pid', `${level}`, `${pid}`]);
}

/** Of the 40th and 41st field of its line in /proc. */
export async function scheduling(pid: number): Promise<{ readonly policy: number; readonly level: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { level: Number(fields[37]), policy: Number(fields[38]) };
}

function wordsOf(error: unknown): string {
  const { code, stderr } = error as { code?: unknown; stderr?: string }; // As execFile rejects.
  return code === 'ENOENT' ? 'there is no chrt' : (stderr ?? String(error)).trim();
}
