import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from 'zx/core';
import { hasCode } from './failure.ts';
import { findMarked, markName } from './marked.ts';
import type { LogSpool } from './spool.ts';

export type { Shell } from 'zx/core';

/** Between SIGTERM and SIGKILL. Hosts kill us 10 s after their first signal, and the journal must be written before. */
const killGraceMs = 3_000;
const pollMs = 50;
/** Whoever starts processes faster than they are killed is let go after this. */
const killMaxMs = 1_000;

export type ShellOptions = {
  /** Where commands run. Programs of its node_modules come first on the PATH. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly spool: Pick<LogSpool, 'write' | 'log'>;
  /** When it fires, every command is ended with all that it has started. */
  readonly signal: AbortSignal;
};

/** Disposed of when none of its commands is left. */
export interface OwnedShell extends AsyncDisposable {
  readonly $: Shell;
}

/** zx for one step: output goes to its log, and no process outlives its command. Imported on the first use: a cached run needs none. */
export async function openShell({ root, env, spool, signal }: ShellOptions): Promise<OwnedShell> {
  const { $ } = await import('zx/core');
  const commands = new Commands(signal);
  return {
    $: $({
      cwd: root,
      preferLocal: root,
      env: { ...env, [markName]: commands.mark },
      detached: true,
      quiet: true,
      spawn: ((file: string, args: readonly string[], options: object) =>
        commands.own(spawn(file, args, options))) as typeof spawn, // zx calls this overload only.
      log: (entry) => {
        if (entry.kind === 'cmd') spool.log(`$ ${entry.cmd}`);
        if (entry.kind === 'stdout' || entry.kind === 'stderr') spool.write(entry.kind, entry.data);
      },
    }),
    [Symbol.asyncDispose]: () => commands.close(),
  };
}

/** What one shell has started. Each command leads a process group. */
class Commands {
  readonly mark = randomUUID();
  readonly #signal: AbortSignal;
  /** Of commands that have not ended. */
  readonly #groups = new Set<number>();
  #anyStarted = false;
  #ending: Promise<unknown> | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#stop, { once: true });
  }

  own(child: ChildProcess): ChildProcess {
    const { pid } = child;
    if (pid === undefined) return child; // It never started; zx tells why.
    this.#groups.add(pid);
    this.#anyStarted = true;
    child.once('exit', () => {
      // When told to stop, its children have their grace too.
      if (this.#ending !== undefined) return;
      // What a command leaves behind would hold the step's pipes and ports.
      tell(-pid, 'SIGKILL');
      this.#groups.delete(pid);
    });
    if (this.#signal.aborted) this.#stop();
    return child;
  }

  /** Waits for what is being ended: this process may be the next to end, and would leave it behind. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop);
    if (this.#groups.size > 0 && this.#ending === undefined) this.#stop();
    await this.#ending;
  }

  readonly #stop = (): void => {
    this.#ending = Promise.all([this.#ending, this.#end()]);
  };

  async #end(): Promise<void> {
    if (!this.#anyStarted) return;
    await this.#tellAll('SIGTERM');
    // By the clock: on a busy machine looking takes longer than resting.
    for (const end = performance.now() + killGraceMs; performance.now() < end; await sleep(pollMs))
      if (!(await this.#isAnyLeft())) return;
    for (const end = performance.now() + killMaxMs; performance.now() < end; await sleep(pollMs))
      if (!(await this.#tellAll('SIGKILL'))) return;
  }

  async #isAnyLeft(): Promise<boolean> {
    return [...this.#groups].some((pid) => tell(-pid, 0)) || (await this.#strayed()).length > 0;
  }

  /** Each once, for to many the second SIGTERM says more than the first. False if nobody was left. */
  async #tellAll(name: NodeJS.Signals): Promise<boolean> {
    const told = [...this.#groups].map((pid) => -pid).concat(await this.#strayed());
    return told.filter((pid) => tell(pid, name)).length > 0;
  }

  /** Who has left the groups. */
  async #strayed(): Promise<readonly number[]> {
    return (await findMarked(this.mark)).filter(({ group }) => !this.#groups.has(group)).map(({ pid }) => pid);
  }
}

/** A negative number is a group. False if there is nobody, or nobody whom this user may tell anything. */
function tell(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH') || hasCode(error, 'EPERM')) return false;
    throw error;
  }
}
