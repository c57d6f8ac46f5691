import type { JsMsg, NatsConnection } from 'nats';
import type { Config, Source } from './config.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Standing } from './presence.ts';
import { Pull, type Settlement } from './pull.ts';

export type IntakeOptions = {
  readonly connection: NatsConnection;
  readonly config: Pick<Config, 'own' | 'other' | 'parallelism' | 'identity'>;
  readonly work: (message: JsMsg, source: Source) => Promise<Settlement>;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** The pulls that the source list asks for: a pull is begun for each stream that joins the list, and stopped for each that leaves it. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #pulls = new Map<string, Pull>();
  readonly #leaving = new Map<Pull, Promise<void>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Pulls from exactly these streams. Pulls that are given up finish what they have begun. */
  follow(streams: readonly string[]): void {
    for (const [stream, pull] of this.#pulls) {
      if (!streams.includes(stream)) this.#leave(stream, pull);
    }
    for (const stream of streams) {
      if (!this.#pulls.has(stream)) this.#pulls.set(stream, this.#begin(stream));
    }
  }

  /** Resolves when every handler that was begun is done. */
  async stop(): Promise<void> {
    this.follow([]);
    await Promise.all(this.#leaving.values());
  }

  /** Handlers that run, by stream; 0 for a source without work. */
  inFlight(): ReadonlyMap<string, number> {
    const counts = new Map([...this.#pulls.keys()].map((stream) => [stream, 0]));
    for (const { source, inFlight } of [...this.#pulls.values(), ...this.#leaving.keys()]) {
      counts.set(source.stream, (counts.get(source.stream) ?? 0) + inFlight);
    }
    return counts;
  }

  /** Streams pulled from. */
  get streams(): readonly string[] {
    return [...this.#pulls.keys()];
  }

  /** Of the own lane's consumer; of another one if the list has no own. `none` for an empty list. */
  standing(): Standing | 'none' {
    const [first] = this.#pulls.values();
    return (this.#pulls.get(this.#options.config.own.stream) ?? first)?.standing() ?? 'none';
  }

  #begin(stream: string): Pull {
    const { config, work, ...rest } = this.#options;
    const isOwn = stream === config.own.stream;
    const known = [config.own, config.other].find((one) => one.stream === stream);
    const source = known ?? { stream, consumer: `${stream}-${config.identity.service}` };
    // Half for another lane's work, so that a backlog that is slow or poisonous cannot starve the own one.
    const parallelism = isOwn ? config.parallelism : Math.max(1, Math.floor(config.parallelism / 2));
    return new Pull({ ...rest, source, parallelism, work: (message) => work(message, source) });
  }

  #leave(stream: string, pull: Pull): void {
    this.#pulls.delete(stream);
    this.#leaving.set(
      pull,
      pull.stop().finally(() => this.#leaving.delete(pull)),
    );
  }
}
