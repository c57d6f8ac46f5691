import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, exitCodes, HeadgateError, isHeadgateError } from '../../../errors.ts';
import { unlessMissing } from '../../../journal/files.ts';
import { isAlive, markOf } from '../../../journal/process-mark.ts';
import { argumentsFor } from '../own-process.ts';
import type { Info } from './api.ts';
import { openSupervisorClient, type SupervisorClient } from './client.ts';
import { type Places, placesOf } from './folder.ts';
import { takeLock } from './lock.ts';
import { clearLeftovers, end } from './pids.ts';
import type { Failed } from './run.ts';

/** A first start may have to install servers. */
const startMaxMs = 180_000;
const stopMaxMs = 45_000;
const askEveryMs = 50;

export type EnsureOptions = {
  readonly app: string;
  /** State folder, usually `.headgate` beside headgate.yaml. */
  readonly folder: string;
  /** Of HAProxy; 0 (the default): the one it had before, or a free one. */
  readonly port?: number;
  /** Whether lanes get a database; true unless it is said otherwise. */
  readonly postgres?: boolean;
  /** Process id: the supervisor ends when that process does. Absent: it stays until it is stopped. */
  readonly endWith?: number;
  readonly onProgress?: (doing: string) => void;
};

export type ReadyInfo = Extract<Info, { kind: 'ready' }>;

export type Connected = { readonly client: SupervisorClient; readonly info: ReadyInfo };

/**
 * Connects to the state folder's supervisor, and starts one first if none runs. Of two that start at once one wins, and both connect to
 * it. What a dead one left is cleared, and its lanes are brought back.
 * @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION`, `SERVER_START`, `SUPERVISOR_UNREACHABLE`, `REFUSED` for another app's folder
 */
export async function ensureSupervisor(options: EnsureOptions, signal: AbortSignal): Promise<Connected> {
  const attempt: Attempt = { child: undefined };
  try {
    return await connect(options, attempt, signal);
  } catch (error) {
    // Who gave up would not know that it still comes up.
    attempt.child?.kill('SIGTERM');
    throw error;
  }
}

/** The process started by us, if it came to that. */
type Attempt = { child: ChildProcess | undefined };

async function connect(options: EnsureOptions, attempt: Attempt, signal: AbortSignal): Promise<Connected> {
  const places = placesOf(options.folder);
  const client = openSupervisorClient(places.socket);
  const tell = onChange(options.onProgress);
  const deadline = Date.now() + startMaxMs;
  while (Date.now() < deadline) {
    const info = await client.info(signal).catch(notThere);
    if (info !== undefined && info.app !== options.app) throw wrongApp(options, info);
    if (info?.kind === 'ready') return { client, info };
    if (info?.kind === 'busy') tell(info.doing);
    const { child } = attempt;
    if (child !== undefined && hasFailed(child)) throw await startFailure(places);
    // One that ended well lost against another, which answers soon, or just ends: then we are next.
    if (info === undefined && (child === undefined || child.exitCode === 0)) attempt.child = start(options, places);
    await sleep(askEveryMs, undefined, { signal });
  }
  throw tooLate(places);
}

function tooLate({ log }: Places): HeadgateError {
  const message = `Cannot start the supervisor as it was not ready within ${startMaxMs / 1_000} s`;
  return new HeadgateError('SUPERVISOR_UNREACHABLE', message, { hint: `read ${log}` });
}

function hasFailed({ exitCode, signalCode }: ChildProcess): boolean {
  return (exitCode !== null && exitCode !== 0) || signalCode !== null;
}

function onChange(tell: (text: string) => void = () => {}): (text: string) => void {
  let last = '';
  return (text) => {
    if (text !== last) tell(text);
    last = text;
  };
}

/** The state folder's supervisor if one runs and is ready. Starts nothing. */
export async function findSupervisor(folder: string, signal: AbortSignal): Promise<ReadyInfo | undefined> {
  const info = await openSupervisorClient(placesOf(folder).socket).info(signal).catch(notThere);
  return info?.kind === 'ready' ? info : undefined;
}

/** Ends the supervisor with everything it owns; without one, clears what a dead one left. Resolves when nothing is left. */
export async function stopSupervisor(folder: string, signal: AbortSignal): Promise<void> {
  const places = placesOf(folder);
  const info = await openSupervisorClient(places.socket).info(signal).catch(notThere);
  const mark = info === undefined ? await supervisorMark(places) : await markOf(info.pid);
  if (mark !== undefined) await endSupervisor(mark, signal);
  await using lock = await takeLock(places.lock);
  if (lock !== undefined) await clearLeftovers(places.pids);
}

/** Asked, and after a time made to. */
async function endSupervisor(mark: string, signal: AbortSignal): Promise<void> {
  const pid = Number(mark.split('/')[1]);
  const deadline = Date.now() + stopMaxMs;
  if (await isAlive(mark)) end(pid, 'SIGTERM');
  while (await isAlive(mark)) {
    if (Date.now() > deadline) end(pid, 'SIGKILL');
    await sleep(askEveryMs, undefined, { signal });
  }
}

/** The first mark in the file is the supervisor's own. */
async function supervisorMark(places: Places): Promise<string | undefined> {
  const marks = (await unlessMissing(readFile(places.pids, 'utf8')))?.split('\n') ?? [];
  return marks[0] === '' ? undefined : marks[0];
}

/** Detached, so that neither Ctrl-C nor the end of a driver reaches it. */
function start({ app, port = 0, postgres = true, endWith }: EnsureOptions, places: Places): ChildProcess {
  mkdirSync(places.logs, { recursive: true });
  const output = openSync(places.log, 'a');
  const args = ['--app', app, '--folder', places.folder, '--port', String(port)];
  if (!postgres) args.push('--no-postgres');
  if (endWith !== undefined) args.push('--end-with', String(endWith));
  try {
    const child = spawn(process.execPath, [...argumentsFor('main', import.meta.url), ...args], {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: '/',
    });
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** The caller has another way: it starts one, or clears up. */
function notThere(error: unknown): undefined {
  if (isHeadgateError(error)) return undefined;
  throw error;
}

async function startFailure(places: Places): Promise<HeadgateError> {
  const text = await unlessMissing(readFile(places.failure, 'utf8'));
  const failed = text === undefined ? undefined : (JSON.parse(text) as Failed); // Our own file, written whole.
  const code = failed !== undefined && failed.code in exitCodes ? (failed.code as ErrorCode) : 'SUPERVISOR_UNREACHABLE';
  return new HeadgateError(code, failed?.message ?? 'Cannot start the supervisor as its process ended at once', {
    hint: failed?.hint ?? `read ${places.log}`,
  });
}

function wrongApp({ app, folder }: EnsureOptions, info: Info): HeadgateError {
  return new HeadgateError(
    'REFUSED',
    `Cannot use ${folder} for "${app}" as a state folder is of one app: current value is "${info.app}"`,
    {
      hint: 'use another state folder, or stop the other app with `headgate cluster down`',
    },
  );
}
