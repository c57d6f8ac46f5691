/**
 *  starting ──/readyz 200──▶ ready ──/readyz fails twice──▶ unready ──/readyz 200──▶ ready
 *      │                       │                               │
 *      └───────────────────────┴──stop()──▶ stopping ──▶ ended ┘◀── the process ends by itself, from any state
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../../deadline.ts';
import type { Failure } from '../../../workload/workload.ts';
import { environmentOf, type Ports, type Seat, type ServerUrls } from '../../environment.ts';
import type { PulledImage } from '../image/pull.ts';
import type { Exit } from '../servers/process.ts';
import { BoundedLog } from './bounded-log.ts';
import { type Boxed, startBoxed } from './boxed.ts';
import { recordPid } from './pids.ts';
import { Route } from './route.ts';

const loopback = '127.0.0.1';
const askEveryMs = 200;
const askReadyEveryMs = 1_000;
const askMaxMs = 1_000;
const missesMax = 2;
const readyMaxMs = 20_000;
/** The default HTTP timeout and 5 s more: a proxy finishes what is in flight. */
const proxyGraceMs = 10_000;
const workerGraceMs = 5_000;
/** As number 1 of its namespace, a program that has no handler for SIGTERM yet does not hear it. Before it was ready it has no work. */
const freshGraceMs = 1_000;

/** What every instance of a supervisor needs of it. */
export type Surroundings = {
  readonly bwrap: string;
  readonly haproxySocket: string;
  readonly servers: ServerUrls;
  readonly logs: string;
  readonly pids: string;
  readonly takePort: () => Promise<number>;
};

export type InstanceOptions = {
  /** Unique among all instances, for HAProxy. */
  readonly name: string;
  /** Names the log; taken again after an end. */
  readonly slot: number;
  readonly seat: Omit<Seat, 'existing'>;
  readonly image: PulledImage;
  readonly around: Surroundings;
  /** `failure` is `undefined` for an end that was asked for. */
  readonly onEnd: (failure: Failure | undefined) => void;
};

/** A process of a lane and the address of its counts. */
export type ProcessAt = { readonly id: string; readonly url: string; readonly ready: boolean };

/** One process of a lane, from its start to its end. */
export class Instance {
  readonly slot: number;
  readonly seat: Omit<Seat, 'existing'>;
  readonly log: BoundedLog;
  #state: 'starting' | 'ready' | 'unready' | 'stopping' | 'ended' = 'starting';
  #ports: Ports = { host: loopback, port: 0, adminPort: 0 };
  #everReady = false;
  #slow: Failure | undefined;
  #boxed: Boxed | undefined;
  #route: Route | undefined;
  readonly #options: InstanceOptions;
  readonly #startedAt = Date.now();
  readonly #life: Promise<void>;

  constructor(options: InstanceOptions) {
    const { seat, slot, around } = options;
    this.slot = slot;
    this.seat = seat;
    this.log = new BoundedLog(join(around.logs, `${seat.lane}-${seat.service}-${slot}.log`));
    this.#options = options;
    this.#life = this.#live();
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  get stopping(): boolean {
    return this.#state === 'stopping' || this.#state === 'ended';
  }

  /** HTTP port of a proxy; 0 for a worker. */
  get port(): number {
    return this.#ports.port;
  }

  /** Why it is still not ready after 20 s, or `undefined`. */
  get slow(): Failure | undefined {
    return this.#slow;
  }

  /** Where it tells its counts. The id is no other process's, also after the supervisor began anew. */
  get process(): ProcessAt {
    const url = `http://127.0.0.1:${this.#ports.adminPort}/metrics`;
    return { id: `${this.#options.name}@${this.#startedAt}`, url, ready: this.ready };
  }

  get ageMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** Drains and ends it; repeating is safe. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.stopping) {
      this.#state = 'stopping';
      // Without HAProxy there is nothing to drain.
      await this.#route?.drain().catch(() => {});
      await this.#boxed?.stop(this.#graceMs);
    }
    await this.#life;
  }

  /** HAProxy began anew and knows nobody. */
  routeAgain(): void {
    if (this.#state === 'ready') this.#state = 'unready';
  }

  get #graceMs(): number {
    if (!this.#everReady) return freshGraceMs;
    return this.#isProxy ? proxyGraceMs : workerGraceMs;
  }

  get #isProxy(): boolean {
    return this.#options.seat.template.port !== undefined;
  }

  async #live(): Promise<void> {
    let exit: Exit = { code: 127, signal: undefined };
    try {
      const boxed = await this.#start();
      const over = new AbortController();
      const watching = this.#watch(over.signal);
      exit = await boxed.ended;
      over.abort();
      await watching;
    } catch (cause) {
      this.log.write(`${cause instanceof Error ? cause.message : cause}\n`);
    }
    const asked = this.stopping;
    this.#state = 'ended';
    await this.#route?.remove().catch(() => {}); // Without HAProxy it is out already.
    await this.log.written();
    this.#options.onEnd(asked ? undefined : this.#crash(exit));
  }

  async #start(): Promise<Boxed> {
    const { seat, around, image, name } = this.#options;
    const port = this.#isProxy ? await around.takePort() : 0;
    this.#ports = { host: loopback, port, adminPort: await around.takePort() };
    if (this.#isProxy) this.#route = new Route(around.haproxySocket, { lane: seat.lane, name, port });
    const env = environmentOf({ ...seat, existing: undefined }, around.servers, this.#ports);
    const boxed = await startBoxed({ bwrap: around.bwrap, image, env, log: this.log });
    this.#boxed = boxed;
    for (const pid of boxed.pids) await recordPid(around.pids, pid);
    // Asked to stop before there was anything to stop.
    if (this.stopping) await boxed.stop(0);
    return boxed;
  }

  /** Asks /readyz until the process has ended, and opens or closes its route. */
  async #watch(over: AbortSignal): Promise<void> {
    for (let misses = 0; !over.aborted; ) {
      const problem = await this.#ask(over);
      if (this.stopping || over.aborted) return;
      misses = problem === undefined ? 0 : misses + 1;
      if (problem === undefined) await this.#open();
      else if (misses >= missesMax) await this.#close(problem);
      // An abort is the end that this loop waits for.
      await sleep(this.ready ? askReadyEveryMs : askEveryMs, undefined, { signal: over }).catch(() => {});
    }
  }

  /** What is in the way, or `undefined` if it says that it is ready. */
  async #ask(over: AbortSignal): Promise<string | undefined> {
    const signal = withDeadline(over, askMaxMs);
    try {
      const response = await fetch(`http://127.0.0.1:${this.#ports.adminPort}/readyz`, { signal });
      await response.body?.cancel();
      return response.ok ? undefined : `/readyz answers ${response.status}`;
    } catch {
      return '/readyz does not answer'; // Not there yet, or too slow: both are not ready.
    }
  }

  async #open(): Promise<void> {
    if (this.ready) return;
    try {
      await this.#route?.open();
    } catch (cause) {
      this.#noteSlowness(`HAProxy does not take it (${cause instanceof Error ? cause.message : cause})`);
      return; // Tried again with the next look.
    }
    // Asked to stop meanwhile: draining has closed the route, and this opened it again.
    if (this.stopping) return this.#route?.close().catch(() => {});
    this.#state = 'ready';
    this.#everReady = true;
    this.#slow = undefined;
  }

  async #close(problem: string): Promise<void> {
    this.#noteSlowness(problem);
    if (!this.ready) return;
    this.#state = 'unready';
    await this.#route?.close().catch(() => {}); // HAProxy is gone, and the route with it.
  }

  #noteSlowness(problem: string): void {
    if (this.ready || this.ageMs < readyMaxMs) return;
    this.#slow ??= this.#failure('probe', `is not ready after ${readyMaxMs / 1_000} s: ${problem}`);
  }

  #crash({ code, signal }: Exit): Failure {
    const seconds = (this.ageMs / 1_000).toFixed(1);
    // Bubblewrap tells a signal as a shell does.
    const how = signal !== undefined ? signal : (code ?? 0) > 128 ? `signal ${(code ?? 0) - 128}` : `exit code ${code}`;
    return this.#failure('crash', `ended with ${how} after ${seconds} s`);
  }

  #failure(reason: Failure['reason'], what: string): Failure {
    const { lane, service } = this.seat;
    return { reason, message: `${service} of lane ${lane} ${what}`, logLines: this.log.tail };
  }
}
