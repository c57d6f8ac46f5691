/** HAProxy as the local data plane: the shape of its configuration, and the process. Who may write it at run time: traffic/haproxy.ts. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Lane, lanes } from '../../lane.ts';
import { findHaproxy } from './servers/find.ts';
import { type RunningServer, running, tied } from './servers/process.ts';
import { runtimeCommand } from './servers/runtime-socket.ts';

export type HaproxyPlace = {
  readonly app: string;
  /** Holds configuration, runtime socket and pin map; short enough for a unix socket's name. */
  readonly folder: string;
  /** On 127.0.0.1. */
  readonly port: number;
};

export interface RunningHaproxy extends RunningServer {
  /** Path of the runtime socket (level admin). */
  readonly socket: string;
  /** Name of the run-time map that sends pinned requests: a regular expression over the request's headers -> `blue-pinned` or `green-pinned`. */
  readonly pinMap: string;
}

const socketPath = (folder: string): string => join(resolve(folder), 'haproxy.sock');
const pinMapPath = (folder: string): string => join(resolve(folder), 'pins.map');

/**
 * The weights of `split` are the lane weights. A lane ends in a backend of its own, so that the 503s of a dead lane are counted there and
 * carry its mark. Aborts are passed on, so that a client that leaves holds no waiter.
 *
 * Every hop is a new connection (server-close). When a server breaks off on a later request of a connection, HAProxy closes in silence
 * and counts nothing: the crash of a candidate would be nobody's. And a kept connection that Node closes while a request is on its way
 * would be an error of ours.
 */
function haproxyConfig({ app, folder, port }: HaproxyPlace): string {
  // Abstract sockets have one name space per machine: the folder makes them ours alone.
  const mark = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 16);
  const socketOf = (name: string) => `abns@headgate-${mark}-${name}`;
  return `${[
    'global',
    `  stats socket ${socketPath(folder)} mode 600 level admin`,
    '  stats timeout 1h',
    '  nbthread 1',
    '  fd-hard-limit 65536',
    '  hard-stop-after 10s',
    'defaults',
    '  mode http',
    '  option abortonclose',
    '  option http-server-close',
    '  timeout connect 1s',
    '  timeout client 30s',
    '  timeout http-request 10s',
    '  timeout http-keep-alive 60s',
    '  timeout queue 1s',
    '  timeout server 15s',
    '  timeout tunnel 1h',
    `frontend ${app}`,
    `  bind 127.0.0.1:${port}`,
    `  http-request set-var(txn.pin) req.hdrs,map_reg(${pinMapPath(folder)})`,
    '  use_backend to-%[var(txn.pin)] if { var(txn.pin) -m found }',
    '  default_backend split',
    'backend split',
    '  balance roundrobin',
    '  retries 0',
    ...lanes.map((lane) => `  server ${lane} ${socketOf(lane)} weight 0`),
    ...lanes.flatMap((lane) => [
      ...laneSections(`lane-${lane}`, { lane, socket: socketOf(lane) }),
      `backend to-${lane}-pinned`,
      '  retries 0',
      `  server ${lane} ${socketOf(`${lane}-pinned`)}`,
      ...laneSections(`${lane}-pinned`, { lane, socket: socketOf(`${lane}-pinned`) }),
    ]),
  ].join('\n')}\n`;
}

/** No server at the start: the supervisor adds one per ready proxy. Shorter timeout than in front of it, or its 504 would have no mark. */
function laneSections(name: string, { lane, socket }: { lane: Lane; socket: string }): string[] {
  return [
    `frontend ${name}`,
    `  bind ${socket}`,
    `  default_backend ${name}`,
    `backend ${name}`,
    '  balance roundrobin',
    '  retries 2',
    '  option redispatch 1',
    '  timeout server 10s',
    `  http-after-response set-header Headgate-Lane ${lane}`,
  ];
}

/** Starts HAProxy with weights 0 and 0 and no pin. @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION`, `SERVER_START` */
export async function startHaproxy(place: HaproxyPlace): Promise<RunningHaproxy> {
  const { path, version } = await findHaproxy();
  const folder = resolve(place.folder);
  await mkdir(folder, { recursive: true });
  await rm(socketPath(folder), { force: true });
  await writeFile(pinMapPath(folder), '');
  await writeFile(join(folder, 'haproxy.cfg'), haproxyConfig({ ...place, folder }));
  const child = spawn(...tied(path, ['-db', '-f', join(folder, 'haproxy.cfg')]), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const server = await running(child, {
    name: 'haproxy',
    found: { path, version },
    url: `http://127.0.0.1:${place.port}`,
    ready: () =>
      runtimeCommand(socketPath(folder), 'show info', AbortSignal.timeout(1_000)).then((text) =>
        text.includes('Pid: '),
      ),
  });
  return { ...server, socket: socketPath(folder), pinMap: pinMapPath(folder) };
}
