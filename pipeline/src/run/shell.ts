import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from 'zx/core';
import { hasCode } from './failure.ts';
import type { LogSpool } from './spool.ts';

export type { Shell } from 'zx/core';

/** Between SIGTERM and SIGKILL. Hosts kill us 10 s after their first signal, and the journal must be written before. */
const killGraceMs = 3_000;
const pollMs = 50;

export type ShellOptions = {
  /** Where commands run. Programs of its node_modules come first on the PATH. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly spool: Pick<LogSpool, 'write' | 'log'>;
  /** When it fires, the process group of every command is ended. */
  readonly signal: AbortSignal;
};

/** zx for one step: output goes to its log, and no process outlives its command. Imported on the first use: a cached run needs none. */
export async function openShell({ root, env, spool, signal }: ShellOptions): Promise<Shell> {
  const { $ } = await import('zx/core');
  return $({
    cwd: root,
    preferLocal: root,
    env: { ...env },
    detached: true,
    quiet: true,
    spawn: ((file: string, args: readonly string[], options: object) =>
      owned(spawn(file, args, options), signal)) as typeof spawn, // zx calls this overload only.
    log: (entry) => {
      if (entry.kind === 'cmd') spool.log(`$ ${entry.cmd}`);
      if (entry.kind === 'stdout' || entry.kind === 'stderr') spool.write(entry.kind, entry.data);
    },
  });
}

/** The child leads a process group, which ends when it does, or when `signal` fires. */
function owned(child: ChildProcess, signal: AbortSignal): ChildProcess {
  const { pid } = child;
  if (pid === undefined) return child; // It never started; zx tells why.
  const stop = () => void endGroup(pid);
  child.once('exit', () => {
    signal.removeEventListener('abort', stop);
    // What a command leaves behind would hold the step's pipes and ports. When told to stop, its children have their grace too.
    if (!signal.aborted) signalGroup(pid, 'SIGKILL');
  });
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return child;
}

async function endGroup(pid: number): Promise<void> {
  signalGroup(pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < killGraceMs; waitedMs += pollMs) {
    await sleep(pollMs);
    if (!signalGroup(pid, 0)) return;
  }
  signalGroup(pid, 'SIGKILL');
}

/** False if nobody is left in the group. */
function signalGroup(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
