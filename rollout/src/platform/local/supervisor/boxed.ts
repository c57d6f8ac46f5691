/** One process of a lane: the image's entry point in its own root, read-only and as nobody in particular (bubblewrap). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { PulledImage } from '../image/pull.ts';
import { type Exit, exitOf } from '../servers/process.ts';
import type { BoundedLog } from './bounded-log.ts';
import { end } from './pids.ts';

export type BoxedOptions = {
  /** bubblewrap. */
  readonly bwrap: string;
  readonly image: PulledImage;
  /** The whole environment, the image's own variables apart. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: BoundedLog;
};

export type Boxed = {
  /** Of bubblewrap and of the program, as this machine sees them. */
  readonly pids: readonly number[];
  readonly ended: Promise<Exit>;
  /** SIGTERM, and SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
};

/**
 * Starts it. Its own process namespace makes it number 1 there, as in a container: it sees and signals nobody else, and whatever it
 * starts ends with it. It ends with this process, too.
 */
export async function startBoxed({ bwrap, image, env, log }: BoxedOptions): Promise<Boxed> {
  const { root, config } = image;
  const view = [
    '--ro-bind',
    root,
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--chdir',
    config.workdir,
  ];
  const walls = ['--unshare-user', '--uid', '1000', '--gid', '1000', '--unshare-pid', '--as-pid-1', '--unshare-ipc'];
  const ties = ['--cap-drop', 'ALL', '--die-with-parent', '--new-session', '--info-fd', '3'];
  const child = spawn(bwrap, [...view, ...walls, ...ties, '--', ...config.entrypoint], {
    env: { ...config.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const ended = exitOf(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => log.write(chunk));
  }
  const inner = await innerPid(child);
  return {
    pids: [child.pid, inner].filter((pid) => pid !== undefined),
    ended,
    stop: (graceMs) => stop(child, inner, ended, graceMs),
  };
}

/** `undefined` if bubblewrap could not start the program; its words are in the log then. */
async function innerPid(child: ChildProcess): Promise<number | undefined> {
  const info = await text(child.stdio[3] as Readable).catch(() => ''); // Not started at all: `ended` tells how.
  return info === '' ? undefined : (JSON.parse(info) as { 'child-pid': number })['child-pid'];
}

/** The signal goes to the program: bubblewrap does not pass it on. */
async function stop(
  child: ChildProcess,
  inner: number | undefined,
  ended: Promise<Exit>,
  graceMs: number,
): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  end(inner ?? child.pid, 'SIGTERM');
  const timer = setTimeout(() => {
    if (inner !== undefined) end(inner, 'SIGKILL');
    child.kill('SIGKILL');
  }, graceMs);
  await ended;
  clearTimeout(timer);
  if (child.stdout !== null && !child.stdout.closed) await once(child.stdout, 'close');
}
