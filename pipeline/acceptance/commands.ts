import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Head, type Records, readHead } from '@headgate/rollout';

export const repository = resolve(import.meta.dirname, '../..');
export const bin = join(repository, 'pipeline/dist/cli/bin.js');

export type Ran = { readonly code: number; readonly out: string; readonly err: string };
export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ran> };

/** Processes that a stage has stopped, until `go()`. */
export type Still = { readonly go: () => void };

export function standStill(pids: readonly number[]): Still {
  const tell = (signal: NodeJS.Signals) => pids.forEach((pid) => void process.kill(pid, signal));
  tell('SIGSTOP');
  return { go: () => tell('SIGCONT') };
}

/** A person at the command line of one app, who also reads its journal. Disposal kills what still runs. */
export interface Commands extends Disposable {
  /** Starts `headgate <args>` in a process of its own. */
  start(...args: string[]): Running;
  run(...args: string[]): Promise<Ran>;
  head(): Promise<Head>;
  /** Waits until `holds` is true of the journal's head. */
  until(holds: (head: Head) => boolean, ms?: number): Promise<Head>;
  /** Two runs of `headgate <args>` whose wishes both lie in the journal before the driver, which stands still until then, reads either. */
  atOnce(driver: Still, ...args: string[]): Promise<readonly Ran[]>;
  /** Another person's wish, laid beside the driver. @returns after how many ms the journal has the driver's answer */
  takenUp(kind: 'hold' | 'resume'): Promise<number>;
}

type App = {
  readonly file: string;
  readonly app: string;
  readonly records: Records;
  readonly env: NodeJS.ProcessEnv;
  readonly pace: Pace;
};

/** How long a change of the journal is waited for by default, and how often one looks. */
type Pace = { readonly untilMs: number; readonly lookEveryMs: number };

/** @throws Error when the journal did not get there in time */
export async function headOnce(
  head: () => Promise<Head>,
  holds: (head: Head) => boolean,
  { untilMs, lookEveryMs }: Pace = { untilMs: 180_000, lookEveryMs: 100 },
): Promise<Head> {
  for (const end = Date.now() + untilMs; Date.now() < end; await sleep(lookEveryMs)) {
    const seen = await head();
    if (holds(seen)) return seen;
  }
  const { release } = await head();
  throw new Error(`The journal did not get there within ${untilMs} ms: ${JSON.stringify(release?.state)}`);
}

export function openCommands({ file, app, records, env, pace: { untilMs, lookEveryMs } }: App): Commands {
  const children = new Set<ChildProcess>();
  const head = () => readHead(records.journal, app, AbortSignal.timeout(30_000));
  const start = (...[name = '', ...args]: string[]): Running => {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn(process.execPath, [bin, name, '--file', file, ...args], { stdio: [...stdio], env });
    children.add(child);
    return { child, ended: endOf(child).finally(() => children.delete(child)) };
  };
  return {
    start,
    head,
    run: (...args) => start(...args).ended,
    until: (holds, ms = untilMs) => headOnce(head, holds, { untilMs: ms, lookEveryMs }),
    async atOnce(driver, ...args) {
      try {
        const both = [start(...args), start(...args)];
        while ((await records.wishes.read(AbortSignal.timeout(30_000))).length < both.length) {
          await sleep(lookEveryMs);
          if (both.some(({ child }) => child.exitCode !== null)) break; // It was refused, which its caller finds.
        }
        driver.go();
        return await Promise.all(both.map(({ ended }) => ended));
      } finally {
        driver.go();
      }
    },
    async takenUp(kind) {
      const act = { kind, release: (await head()).release?.id ?? null, reason: 'acceptance', step: null };
      const asked = performance.now();
      const signal = AbortSignal.timeout(30_000);
      const id = await records.wishes.add({ act, actor: 'another person', at: Date.now() }, signal);
      await headOnce(head, ({ answers }) => answers.some((one) => one.id === id), { untilMs, lookEveryMs: 20 });
      return Math.round(performance.now() - asked);
    },
    [Symbol.dispose]() {
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

async function endOf(child: ChildProcess): Promise<Ran> {
  if (child.stdout === null || child.stderr === null) throw new Error('its output is piped');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode ?? 128, out, err };
}
