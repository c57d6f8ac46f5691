import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '../../../errors.ts';
import type { Lane } from '../../../lane.ts';
import { runtimeCommand } from '../servers/runtime-socket.ts';

const commandMaxMs = 2_000;
const drainMaxMs = 2_000;
const removeTriesMax = 20;

/** The way from HAProxy to one proxy process: a server in the lane's backend, and one in the backend of its pins. */
export class Route {
  readonly #socket: string;
  readonly #servers: readonly string[];
  readonly #address: string;
  #last: Promise<void> = Promise.resolve();

  constructor(socket: string, { lane, name, port }: { lane: Lane; name: string; port: number }) {
    this.#socket = socket;
    this.#servers = [`lane-${lane}/${name}`, `${lane}-pinned/${name}`];
    this.#address = `127.0.0.1:${port}`;
  }

  /** Lets requests come; repeating is safe, also after HAProxy began anew. @throws {HeadgateError} `TRAFFIC_WRITE_REFUSED` */
  open(): Promise<void> {
    return this.#inTurn(async () => {
      for (const server of this.#servers) {
        const answer = await this.#tell(`add server ${server} ${this.#address}`);
        if (!/registered|already exists/i.test(answer)) throw refused(server, answer);
        await this.#tell(`set server ${server} state ready`);
      }
    });
  }

  /** No new requests. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#each('state drain'));
  }

  /** No new requests; resolves when those chosen for it have at least reached it, and most have been answered. */
  async drain(): Promise<void> {
    await this.close();
    const deadline = Date.now() + drainMaxMs;
    while (Date.now() < deadline && (await this.#requests()) > 0) await sleep(20);
  }

  /** Takes it out for good. */
  remove(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#each('state maint');
      for (const server of this.#servers) {
        await this.#tell(`shutdown sessions server ${server}`);
        // A connection that is just closing keeps the server a moment longer.
        for (let tries = 0; tries < removeTriesMax; tries++) {
          if (/deleted|no such server/i.test(await this.#tell(`del server ${server}`))) break;
          await sleep(50);
        }
      }
    });
  }

  async #each(change: string): Promise<void> {
    for (const server of this.#servers) await this.#tell(`set server ${server} ${change}`);
  }

  async #requests(): Promise<number> {
    const [titles = '', ...rows] = (await this.#tell('show stat')).split('\n').map((row) => row.split(','));
    const current = titles.indexOf('scur');
    const ours = rows.filter(([backend, server]) => this.#servers.includes(`${backend}/${server}`));
    return ours.reduce((sum, row) => sum + Number(row[current] ?? 0), 0);
  }

  /** One after the other: a late `open` must not undo a `remove`. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {}); // The caller of this turn hears of it; the next one may go on.
    return turn;
  }

  #tell(command: string): Promise<string> {
    return runtimeCommand(this.#socket, command, AbortSignal.timeout(commandMaxMs));
  }
}

function refused(server: string, answer: string): HeadgateError {
  return new HeadgateError(
    'TRAFFIC_WRITE_REFUSED',
    `Cannot add ${server} as HAProxy must take it: current value is "${answer}"`,
    { hint: 'read the supervisor log; HAProxy 2.6 or newer is needed' },
  );
}
