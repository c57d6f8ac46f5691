import { chmod, mkdir, rm } from 'node:fs/promises';
import { HeadgateError } from '../../../errors.ts';
import { replaceDurably } from '../../../journal/files.ts';
import { type Info, serveApi } from './api.ts';
import { takeLock } from './lock.ts';
import { type Supervisor, type SupervisorOptions, startSupervisor } from './supervisor.ts';

export type Failed = { readonly code: string; readonly message: string; readonly hint: string };

/**
 * Holds the folder's lock, answers drivers, and runs until `signal` aborts; then everything is ended.
 * @returns false if another supervisor has the folder
 */
export async function runSupervisor(options: SupervisorOptions, signal: AbortSignal): Promise<boolean> {
  const { app, places } = options;
  await mkdir(places.folder, { recursive: true });
  await chmod(places.folder, 0o700); // Whoever can open the sockets can start programs as we.
  await using lock = await takeLock(places.lock);
  if (lock === undefined) return false;
  await rm(places.failure, { force: true });
  let doing = 'starting';
  let supervisor: Supervisor | undefined;
  const info = (): Info =>
    supervisor === undefined
      ? { kind: 'busy', app, pid: process.pid, doing }
      : { kind: 'ready', app, pid: process.pid, urls: supervisor.machine.urls, haproxy: pick(supervisor) };
  await using _api = await serveApi(places.socket, { info, supervisor: () => supervisor });
  try {
    await using started = await startSupervisor({ ...options, onProgress: (text) => (doing = text) });
    supervisor = started;
    await aborted(signal);
    supervisor = undefined;
    doing = 'ending';
  } catch (cause) {
    await replaceDurably(places.failure, JSON.stringify(failedAs(cause)));
    throw cause;
  }
  return true;
}

function pick({ machine }: Supervisor): { socket: string; pinMap: string } {
  return { socket: machine.haproxy.socket, pinMap: machine.haproxy.pinMap };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function failedAs(cause: unknown): Failed {
  if (cause instanceof HeadgateError) return { code: cause.code, message: cause.message, hint: cause.hint };
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code: 'SERVER_START', message, hint: 'read logs/supervisor.log in the state folder' };
}
