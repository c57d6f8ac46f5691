import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Answer, rawAnswer, refusalAnswer, writeAnswer } from './answer.ts';
import type { Config } from './config.ts';
import { Connections } from './connections.ts';
import { corsHeaders } from './cors.ts';
import type { Metrics } from './metrics.ts';
import { type RefusalCode, refusal } from './refusal.ts';
import { type Desk, handle } from './request.ts';

/** Longer than gateways keep idle connections (60 s and less), so that they close first and never write to a closed one. */
const KEEP_ALIVE_MS = 75_000;
const TIMEOUT_CHECK_MS = 500;
/** In shutdown: a connection on which nothing came for so long has no request on its way. */
const QUIET_MS = 1_000;
const DRAIN_CHECK_MS = 20;
/** In shutdown: for so long at most, connections that nobody keeps away are still taken. */
const TAKE_IN_MS = 1_000;

/** The public HTTP side. */
export class HttpServer {
  readonly #server: Server;
  readonly #desk: Desk;
  readonly #metrics: Metrics;
  readonly #marks: readonly string[];
  readonly #corsOrigins: readonly string[];
  readonly #connections = new Connections();
  #draining = false;
  #lastRequestAt = 0;

  constructor(config: Config, desk: Desk, metrics: Metrics) {
    this.#desk = desk;
    this.#metrics = metrics;
    this.#marks = ['Headgate-Lane', config.identity.lane, 'Headgate-Revision', config.identity.revision];
    this.#corsOrigins = config.corsOrigins;
    this.#server = createServer({
      headersTimeout: config.limits.headersTimeoutMs,
      requestTimeout: config.limits.bodyTimeoutMs,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, config.limits.headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
      requireHostHeader: false, // Node's own answer would lack the marks, and the host decides nothing here.
    });
    this.#server.on('connection', (socket) => this.#connections.opened(socket));
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('checkExpectation', (request, response) => this.#refuseExpectation(request, response));
    this.#server.on('clientError', (error, socket) => this.#refuseUnparsed(error, socket));
  }

  /** The port it listens on, which is a free one for 0. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port; // Not a pipe: `listen` was given a port.
  }

  /** Those that were opened longer ago: at once where nothing is asked on them, else with their next answer. */
  closeConnections(olderThanMs: number): void {
    this.#connections.close(olderThanMs);
  }

  /** No new connections; every request that came gets its answer, within `boundMs`; then all connections are closed. */
  async drain(boundMs: number): Promise<void> {
    this.#draining = true;
    await this.#takeIn();
    let open = true;
    this.#server.once('close', () => {
      open = false;
    });
    // Not `http.Server.close`: it closes idle connections at once, under requests that are just on their way.
    NetServer.prototype.close.call(this.#server);
    const start = performance.now();
    this.#lastRequestAt = start;
    while (open && !this.#isQuiet() && performance.now() - start < boundMs) await sleep(DRAIN_CHECK_MS);
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** What the kernel has accepted for us comes in one connection a turn (libuv since 1.45): closing before all are here would reset the rest. */
  async #takeIn(): Promise<void> {
    let idleTurns = 0;
    const took = () => {
      idleTurns = 0;
    };
    this.#server.on('connection', took);
    const start = performance.now();
    // The first turn may be the rest of this one.
    for (; idleTurns < 2 && performance.now() - start < TAKE_IN_MS; idleTurns++) await nextTurn();
    this.#server.off('connection', took);
  }

  #isQuiet(): boolean {
    return this.#metrics.inFlight === 0 && performance.now() - this.#lastRequestAt > QUIET_MS;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = performance.now();
    this.#lastRequestAt = start;
    this.#metrics.began();
    const { socket } = request;
    this.#connections.began(socket);
    response.once('close', () => {
      this.#metrics.ended();
      this.#connections.ended(socket);
    });
    const handled = await handle(request, response, this.#desk);
    const ms = performance.now() - start;
    if (handled.kind === 'gone') {
      if (handled.waited) this.#metrics.clientGone(ms, this.#desk.requestTimeoutMs);
      return;
    }
    if (handled.timedOut) this.#metrics.timedOut();
    // Headgate's own requests reach a lane whatever its weight: they would speak for its users.
    this.#metrics.answered(handled.answer.status, request.headers['headgate-probe'] === undefined ? ms : undefined);
    this.#write(request, response, handled.answer, handled.unread);
  }

  #write(request: IncomingMessage, response: ServerResponse, answer: Answer, unread: boolean): void {
    const cors = this.#corsOrigins.length === 0 ? [] : corsHeaders(request.headers.origin, this.#corsOrigins);
    const marks = cors.length === 0 ? this.#marks : [...this.#marks, ...cors];
    const close = this.#draining || this.#connections.isLeaving(request.socket);
    writeAnswer(request, response, answer, { marks, close, unread });
  }

  #refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
    const rule = 'it must be "100-continue"';
    const answer = refusalAnswer(refusal('EXPECTATION_UNKNOWN', `Cannot meet the Expect header as ${rule}`));
    this.#metrics.refusedUnparsed(answer.status);
    this.#write(request, response, answer, true);
  }

  #refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex & { bytesRead?: number }): void {
    // A connection on which nothing was ever sent is no request, and one that was reset can take no answer.
    if (!socket.writable || socket.bytesRead === 0 || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const { code, message } = unparsedReasons[error.code ?? ''] ?? malformed;
    const answer = refusalAnswer({ code, message });
    this.#metrics.refusedUnparsed(answer.status);
    socket.end(rawAnswer(answer, this.#marks), () => socket.destroy());
  }
}

type Reason = { readonly code: RefusalCode; readonly message: string };

const malformed: Reason = { code: 'REQUEST_MALFORMED', message: 'Cannot read the request as it is no valid HTTP/1.1' };

const unparsedReasons: { readonly [nodeCode: string]: Reason | undefined } = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'REQUEST_TOO_SLOW',
    message: 'Cannot wait any longer as the request did not come in whole in time',
  },
  HPE_HEADER_OVERFLOW: {
    code: 'HEADERS_TOO_LARGE',
    message: 'Cannot read the headers as they must have at most 16 KiB',
  },
};
