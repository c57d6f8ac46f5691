import { readFile } from 'node:fs/promises';
import { replaceDurably, unlessMissing } from '../../../journal/files.ts';
import type { TrafficRouter, TrafficSeen } from '../../../traffic/traffic.ts';

type Agreed = Omit<Extract<TrafficSeen, { kind: 'agreed' }>, 'kind'>;

/**
 * HAProxy keeps weights and pins in memory only. They are noted when they have changed, and given back to an HAProxy that began anew:
 * what was served before a crash is served after it.
 */
export class TrafficMemory {
  readonly #file: string;
  readonly #router: TrafficRouter;
  #noted = '';

  constructor(file: string, router: TrafficRouter) {
    this.#file = file;
    this.#router = router;
  }

  /** @throws {HeadgateError} `TRAFFIC_UNREACHABLE` */
  async note(signal: AbortSignal): Promise<void> {
    const seen = await this.#router.observe(signal);
    if (seen.kind !== 'agreed') return; // In motion: the next look notes what comes of it.
    const text = JSON.stringify({ weights: seen.weights, pins: seen.pins } satisfies Agreed);
    if (text === this.#noted) return;
    await replaceDurably(this.#file, text);
    this.#noted = text;
  }

  /** Unless somebody has set weights already: then these are newer. @throws {HeadgateError} `TRAFFIC_UNREACHABLE`, `TRAFFIC_WRITE_REFUSED` */
  async giveBack(signal: AbortSignal): Promise<void> {
    const text = await unlessMissing(readFile(this.#file, 'utf8'));
    const seen = await this.#router.observe(signal);
    if (text === undefined || seen.kind !== 'agreed' || seen.weights.blue + seen.weights.green > 0) return;
    const { weights, pins } = JSON.parse(text) as Agreed; // Our own file, written whole.
    await this.#router.setPins(pins, signal);
    await this.#router.setWeights(weights, signal);
  }
}
