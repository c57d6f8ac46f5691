import { AdminServer } from './admin.ts';
import { BodyRoom } from './body.ts';
import type { Config } from './config.ts';
import { Exchange } from './exchange.ts';
import { Link } from './link.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics.ts';
import type { Desk } from './request.ts';
import { HttpServer } from './server.ts';

/** A running proxy. */
export interface RunningProxy {
  readonly port: number;
  readonly adminPort: number;
  /** Readiness off, nothing new accepted, everything in flight answered, within the request timeout and 1 s. */
  stop(): Promise<void>;
}

/** After the last timeout has been answered there is nothing to wait for. */
const DRAIN_MARGIN_MS = 1_000;

/** Wires the parts and starts them. NATS may be absent: the proxy then answers 503 until it is there. */
export async function startProxy(config: Config, log: Log): Promise<RunningProxy> {
  const { limits, nats } = config;
  const link = new Link(log);
  const exchange = new Exchange(link, { inboxPrefix: nats.inboxPrefix, timeoutMs: limits.requestTimeoutMs });
  const metrics = new Metrics(config.identity, () => exchange.waiting);
  const desk: Desk = {
    link,
    exchange,
    plan: {
      subjectPrefix: config.subjectPrefix,
      pathPrefix: config.pathPrefix,
      replyToMaxBytes: exchange.addressMaxBytes,
    },
    room: new BodyRoom(limits.bodiesMaxBytes),
    waitersMax: limits.waitersMax,
    requestTimeoutMs: limits.requestTimeoutMs,
    crossOrigin: config.corsOrigins.length > 0,
  };
  const http = new HttpServer(config, desk, metrics);
  const stopping = new AbortController();
  const admin = new AdminServer(
    () => ({
      stopping: stopping.signal.aborted,
      everUp: link.everUp,
      natsDownMs: link.downMs(performance.now()),
    }),
    metrics,
    (olderThanMs) => http.closeConnections(olderThanMs),
  );
  const adminPort = await admin.listen(config.host, config.adminPort);
  const port = await http.listen(config.host, config.port);
  void link.keep(nats, exchange.subscription, (message) => exchange.receive(message), stopping.signal);
  log('started', { port, adminPort, nats: nats.servers, subjectPrefix: config.subjectPrefix });
  return {
    port,
    adminPort,
    async stop() {
      stopping.abort();
      log('stopping', { inFlight: metrics.inFlight });
      await http.drain(limits.requestTimeoutMs + DRAIN_MARGIN_MS);
      exchange.close();
      await link.close();
      admin.close();
      log('stopped', { unanswered: metrics.inFlight });
    },
  };
}
