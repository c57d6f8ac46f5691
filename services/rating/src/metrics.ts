import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Identity } from './config.ts';

/** What the service counts. Nothing here is asked of the queue: acks are counted by whoever acks. */
export interface Metrics {
  acked(stream: string): void;
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
  const acked = perStream('headgate_acked_total', 'Messages acked or terminated, by stream');
  const redelivered = perStream('headgate_redelivered_total', 'Messages that came once more, by stream');
  const returned = perStream('headgate_returned_total', 'Messages given back, by stream');
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
    acked: (stream) => acked.inc({ stream }),
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
