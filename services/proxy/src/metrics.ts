import { Counter, Gauge, Registry } from 'prom-client';
import type { Identity } from './config.ts';
import { LatencyHistogram } from './latency.ts';

const classes = ['2xx', '3xx', '4xx', '5xx'] as const;

/** The proxy's counts. Plain numbers on the hot path; prom-client reads them when it is scraped. */
export class Metrics {
  readonly #latency = new LatencyHistogram();
  readonly #registry = new Registry();
  readonly #answers = [0, 0, 0, 0];
  readonly #gone = { yes: 0, no: 0 };
  #timeouts = 0;
  #inFlight = 0;

  constructor({ app, lane, service, revision }: Identity, waiting: () => number) {
    const registers = [this.#registry];
    const answers = this.#answers;
    const gone = this.#gone;
    const timeouts = () => this.#timeouts;
    const inFlight = () => this.#inFlight;
    new Gauge({
      name: 'headgate_info',
      help: 'Who speaks',
      labelNames: ['app', 'lane', 'service', 'revision'],
      registers,
    })
      .labels(app, lane, service, revision)
      .set(1);
    // Who counts over restarts knows by this that counters began anew.
    new Gauge({ name: 'process_start_time_seconds', help: 'Start of this process', registers }).set(
      performance.timeOrigin / 1_000,
    );
    new Counter({
      name: 'headgate_requests_total',
      help: 'Requests answered, by status class',
      labelNames: ['class'],
      registers,
      collect() {
        this.reset();
        for (const [i, name] of classes.entries()) this.inc({ class: name }, answers[i] ?? 0);
      },
    });
    new Counter({
      name: 'headgate_clients_gone_total',
      help: 'Clients that left before their answer; late: after half the timeout, which is a failure',
      labelNames: ['late'],
      registers,
      collect() {
        this.reset();
        this.inc({ late: 'yes' }, gone.yes);
        this.inc({ late: 'no' }, gone.no);
      },
    });
    new Counter({
      name: 'headgate_timeouts_total',
      help: 'Requests that no worker answered in time',
      registers,
      collect() {
        this.reset();
        this.inc(timeouts());
      },
    });
    new Gauge({
      name: 'headgate_in_flight',
      help: 'Requests that came and are not done',
      registers,
      collect() {
        this.set(inFlight());
      },
    });
    new Gauge({
      name: 'headgate_waiters',
      help: 'Requests that were published and wait for their answer',
      registers,
      collect() {
        this.set(waiting());
      },
    });
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  began(): void {
    this.#inFlight++;
  }

  ended(): void {
    this.#inFlight--;
  }

  /** `ms` is `undefined` for a request whose latency is not a user's. */
  answered(status: number, ms: number | undefined): void {
    const i = Math.floor(status / 100) - 2;
    this.#answers[i] = (this.#answers[i] ?? 0) + 1;
    if (ms !== undefined) this.#latency.observe(ms);
  }

  /** The parser refused what came: there was no request to measure. */
  refusedUnparsed(status: number): void {
    const i = Math.floor(status / 100) - 2;
    this.#answers[i] = (this.#answers[i] ?? 0) + 1;
  }

  timedOut(): void {
    this.#timeouts++;
  }

  clientGone(ms: number, timeoutMs: number): void {
    const late = ms > timeoutMs / 2;
    this.#gone[late ? 'yes' : 'no']++;
    if (late) this.#latency.observe(ms); // It took at least this long.
  }

  /** Prometheus text. */
  async exposition(): Promise<string> {
    return `${await this.#registry.metrics()}\n${this.#latency.exposition()}`;
  }
}
