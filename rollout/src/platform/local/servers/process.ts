import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '../../../errors.ts';
import { type Found, onPath } from './find.ts';

/** A server of our own on this machine. Disposal ends it and removes what it wrote, a folder that the caller named apart. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Which binary was taken. */
  readonly found: Found;
  /** Resolves when the process has ended, asked or not, to how it ended. */
  readonly ended: Promise<Exit>;
}

export type Exit = { readonly code: number | undefined; readonly signal: NodeJS.Signals | undefined };

/** Ties a child to this process: a `kill -9` of ours ends it too. Without `setpriv` (not Linux) it is started as it is. */
export function tied(path: string, args: readonly string[], signal: 'KILL' | 'QUIT' = 'KILL'): [string, string[]] {
  const setpriv = onPath('setpriv', process.env);
  return setpriv === undefined ? [path, [...args]] : [setpriv, ['--pdeathsig', signal, path, ...args]];
}

export type Starting = {
  readonly name: string;
  readonly found: Found;
  readonly url: string;
  /** Asked every 25 ms; a rejection counts as "not yet". */
  readonly ready: () => Promise<boolean>;
  /** Asks for a clean end; SIGTERM if nothing else is said. */
  readonly stopSignal?: NodeJS.Signals;
  /** Runs after the process has ended. */
  readonly cleanUp?: () => Promise<void>;
};

const startMaxMs = 20_000;
const stopMaxMs = 10_000;
const tailMaxChars = 2_000;

/** Waits until a child just spawned is ready; ends it and throws if it is not. @throws {HeadgateError} `SERVER_START` */
export async function running(child: ChildProcess, starting: Starting): Promise<RunningServer> {
  const { name, found, url, stopSignal = 'SIGTERM', cleanUp = async () => {} } = starting;
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-tailMaxChars);
  });
  const ended = exitOf(child);
  const stop = async () => {
    await end(child, ended, stopSignal);
    await cleanUp();
  };
  const problem = await untilReady(child, starting.ready);
  if (problem !== undefined) {
    await stop();
    throw new HeadgateError('SERVER_START', `Cannot start ${name} as ${problem}: its last words are "${tail.trim()}"`, {
      hint: `start ${found.path} by hand to see more`,
    });
  }
  return { url, pid: child.pid ?? 0, found, ended, [Symbol.asyncDispose]: stop };
}

/** How a child ended; also for one that could not be spawned. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', () => child.pid === undefined && resolve({ code: 127, signal: undefined }));
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
  });
}

async function untilReady(child: ChildProcess, ready: () => Promise<boolean>): Promise<string | undefined> {
  const deadline = Date.now() + startMaxMs;
  while (Date.now() < deadline) {
    if (child.pid === undefined) return 'it could not be run';
    if (child.exitCode !== null || child.signalCode !== null)
      return `it ended with ${child.exitCode ?? child.signalCode}`;
    // "Not yet" and "not reachable" are the same answer until the deadline.
    if (await ready().catch(() => false)) return undefined;
    await sleep(25);
  }
  return `it was not ready within ${startMaxMs / 1_000} s`;
}

async function end(child: ChildProcess, ended: Promise<Exit>, stopSignal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(stopSignal);
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMaxMs);
  await ended;
  clearTimeout(timer);
  if (child.stderr !== null && !child.stderr.closed) await once(child.stderr, 'close').catch(() => {});
}
