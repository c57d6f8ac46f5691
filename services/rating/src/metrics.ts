import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Identity } from './config.ts';

/** What the service counts. Nothing here is asked of the queue: acks are counted by whoever acks. */
export interface Metrics {
  /** `ms`: from delivery to ack, the wait for a free handler included. */
  acked(stream: string, ms: number): void;
  terminated(stream: string): void;
  redelivered(stream: string): void;
  returned(stream: string): void;
  /** A message was answered with `status` after so many seconds. */
  handled(subject: string, status: number, seconds: number): void;
  /** The text that `/metrics` answers. */
  text(): Promise<string>;
  readonly contentType: string;
}

export type Live = { readonly inFlight: () => ReadonlyMap<string, number> };

export function openMetrics(identity: Identity, live: Live): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const perStream = (name: string, help: string) => new Counter({ name, help, labelNames: ['stream'], registers });
  const acked = perStream('headgate_acked_total', 'Messages acked, by stream');
  const terminated = perStream('headgate_terminated_total', 'Messages given up for good, by stream');
  const redelivered = perStream('headgate_redelivered_total', 'Messages that came once more, by stream');
  const returned = perStream('headgate_returned_total', 'Messages given back, by stream');
  const ackTime = new Counter({
    name: 'headgate_ack_time_bucket_total',
    help: 'Messages acked by time since their delivery: bucket i holds those from 1.05^i ms to under 1.05^(i+1) ms, 0 and 259 also what lies beyond',
    labelNames: ['stream', 'bucket'],
    registers,
  });
  const handled = new Counter({
    name: 'headgate_handled_total',
    help: 'Messages answered, by subject and status',
    labelNames: ['subject', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'headgate_handler_seconds',
    help: 'From delivery to answer',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  new Gauge({
    name: 'headgate_in_flight',
    help: 'Handlers that run now, by stream',
    labelNames: ['stream'],
    registers,
    collect() {
      this.reset();
      for (const [stream, count] of live.inFlight()) this.set({ stream }, count);
    },
  });
  new Gauge({ name: 'headgate_info', help: 'Who works here', labelNames: Object.keys(identity), registers }).set(
    { ...identity },
    1,
  );
  collectDefaultMetrics({ register: registry });
  return {
    acked(stream, ms) {
      acked.inc({ stream });
      ackTime.inc({ stream, bucket: timeBucket(ms) });
    },
    terminated: (stream) => terminated.inc({ stream }),
    redelivered: (stream) => redelivered.inc({ stream }),
    returned: (stream) => returned.inc({ stream }),
    handled(subject, status, took) {
      handled.inc({ subject, status: String(status) });
      seconds.observe(took);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

const LOG_GROWTH = Math.log(1.05);
const BUCKET_MAX = 259;

/** As the proxies' latencies, so that both are judged alike: each bucket is 5 % wider than the one before it. */
export function timeBucket(ms: number): number {
  return ms > 1 ? Math.min(BUCKET_MAX, Math.floor(Math.log(ms) / LOG_GROWTH)) : 0;
}
