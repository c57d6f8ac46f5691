import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { HeadgateError } from '../../../errors.ts';

/** Longest path of the folder: a unix socket's name has 107 bytes, and HAProxy adds a suffix of its own while it binds. */
const folderMaxBytes = 72;

/** What lies where in a state folder. */
export type Places = {
  readonly folder: string;
  /** HTTP for drivers. */
  readonly socket: string;
  /** Marks of all processes that a dead supervisor may have left. */
  readonly pids: string;
  readonly ports: string;
  /** Revision and scale of both lanes. */
  readonly desired: string;
  /** Weights and pins as HAProxy had them last. */
  readonly traffic: string;
  /** Why the last start failed. */
  readonly failure: string;
  /** Contents of the migrations that are done. */
  readonly migrations: string;
  readonly log: string;
  readonly logs: string;
  readonly images: string;
  /** Abstract socket: the kernel frees it with its holder, however that one ends. */
  readonly lock: string;
};

/** @throws {HeadgateError} `USAGE` if the path is too long for the sockets inside */
export function placesOf(stateFolder: string): Places {
  const folder = resolve(stateFolder);
  if (Buffer.byteLength(folder) > folderMaxBytes) {
    throw new HeadgateError(
      'USAGE',
      `Cannot keep state as the folder's path must be at most ${folderMaxBytes} bytes long: current value is "${folder}"`,
      { hint: 'move the checkout to a shorter path' },
    );
  }
  const at = (name: string) => join(folder, name);
  return {
    folder,
    socket: at('supervisor.sock'),
    pids: at('pids'),
    ports: at('ports.json'),
    desired: at('desired.json'),
    traffic: at('traffic.json'),
    failure: at('failure.json'),
    migrations: at('migrations.json'),
    log: at('logs/supervisor.log'),
    logs: at('logs'),
    images: at('images'),
    lock: `\0headgate-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`,
  };
}
