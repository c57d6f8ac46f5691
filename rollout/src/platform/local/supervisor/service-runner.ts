import { HeadgateError } from '../../../errors.ts';
import type { Lane } from '../../../lane.ts';
import type { Revision } from '../../../revision.ts';
import type { Failure, ServiceSeen } from '../../../workload/workload.ts';
import type { PulledImage } from '../image/pull.ts';
import { Instance, type Surroundings } from './instance.ts';

const backOffMaxMs = 30_000;
/** Whoever ran that long did not crash because of how it starts. */
const soundAfterMs = 60_000;
const pullMaxMs = 300_000;

export type ResolveImage = (reference: string, signal: AbortSignal) => Promise<PulledImage>;

export type RunnerOptions = {
  readonly app: string;
  readonly lane: Lane;
  readonly service: string;
  readonly around: Surroundings;
  readonly resolveImage: ResolveImage;
  /** Unique among all instances. */
  readonly nextName: () => string;
};

/** Brings one service of a lane to what shall be, again and again: every change and every end leads to another look. */
export class ServiceRunner {
  readonly #options: RunnerOptions;
  readonly #instances = new Set<Instance>();
  #revision: Revision | undefined;
  #wanted = 0;
  #image: { readonly reference: string; readonly pulled: PulledImage } | undefined;
  #pulling: string | undefined;
  #failure: Failure | undefined;
  #failures = 0;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  get instances(): readonly Instance[] {
    return [...this.#instances];
  }

  /** What shall be. A new revision, or a new start from nothing, forgets old failures. */
  set(revision: Revision | undefined, wanted: number): void {
    if (revision?.id !== this.#revision?.id || (this.#wanted === 0 && wanted > 0)) {
      this.#failure = undefined;
      this.#failures = 0;
      this.#notBefore = 0;
    }
    this.#revision = revision;
    this.#wanted = revision?.template.services[this.#options.service] === undefined ? 0 : wanted;
    this.#look();
  }

  observe(): ServiceSeen {
    const ofRevision = this.instances.filter((instance) => !this.#isStale(instance));
    return {
      wanted: this.#wanted,
      ready: ofRevision.filter(({ ready }) => ready).length,
      present: this.#instances.size,
      stale: this.#instances.size - ofRevision.length,
      failure: this.#failure ?? ofRevision.find(({ slow }) => slow !== undefined)?.slow,
    };
  }

  routeAgain(): void {
    for (const instance of this.#instances) instance.routeAgain();
  }

  /** Ends all instances and starts no more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.instances.map((instance) => instance.stop()));
  }

  #isStale(instance: Instance): boolean {
    return instance.seat.revision.id !== this.#revision?.id;
  }

  #look(): void {
    if (this.#closed) return;
    const going = this.instances.filter((instance) => !instance.stopping);
    const current = going.filter((instance) => !this.#isStale(instance));
    const leaving = [...going.filter((instance) => this.#isStale(instance)), ...current.slice(this.#wanted)];
    for (const instance of leaving) void instance.stop();
    const missing = this.#wanted - current.length;
    // Old and new never run side by side in one lane: all counts of a lane belong to one revision.
    if (missing <= 0 || this.instances.some((instance) => this.#isStale(instance))) return;
    const waitMs = this.#notBefore - Date.now();
    if (waitMs > 0) this.#lookIn(waitMs);
    else this.#startMissing(missing);
  }

  #lookIn(waitMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), waitMs);
  }

  #startMissing(missing: number): void {
    const { app, lane, service, around, nextName } = this.#options;
    const revision = this.#revision;
    const template = revision?.template.services[service];
    if (revision === undefined || template === undefined) return;
    const image = this.#imageOf(revision);
    if (image === undefined) return;
    for (let i = 0; i < missing; i++) {
      const instance: Instance = new Instance({
        name: nextName(),
        slot: this.#freeSlot(),
        seat: { app, lane, service, revision, template },
        image,
        around,
        onEnd: (failure) => this.#ended(instance, failure),
      });
      this.#instances.add(instance);
    }
  }

  /** `undefined` while it is pulled; another look follows. */
  #imageOf(revision: Revision): PulledImage | undefined {
    const { service } = this.#options;
    const reference = `${revision.repositories[service]}@${revision.digests[service]}`;
    if (this.#image?.reference === reference) return this.#image.pulled;
    if (this.#pulling !== reference) void this.#pull(reference);
    return undefined;
  }

  async #pull(reference: string): Promise<void> {
    this.#pulling = reference;
    try {
      const pulled = await this.#options.resolveImage(reference, AbortSignal.timeout(pullMaxMs));
      this.#image = { reference, pulled };
    } catch (cause) {
      const hint = cause instanceof HeadgateError ? `; ${cause.hint}` : '';
      const message = `${cause instanceof Error ? cause.message : cause}${hint}`;
      if (this.#pulling === reference) this.#fail({ reason: 'image', message, logLines: [] });
    }
    if (this.#pulling === reference) this.#pulling = undefined;
    this.#look();
  }

  #freeSlot(): number {
    const taken = new Set(this.instances.map(({ slot }) => slot));
    return [...Array(taken.size + 1).keys()].find((slot) => !taken.has(slot)) ?? taken.size;
  }

  #ended(instance: Instance, failure: Failure | undefined): void {
    this.#instances.delete(instance);
    if (failure !== undefined && !this.#isStale(instance)) {
      if (instance.ageMs > soundAfterMs) this.#failures = 0;
      this.#fail(failure);
    }
    this.#look();
  }

  /** 1, 2, 4, … 30 s until the next start. */
  #fail(failure: Failure): void {
    this.#failure = failure;
    this.#notBefore = Date.now() + Math.min(backOffMaxMs, 1_000 * 2 ** this.#failures);
    this.#failures++;
  }
}
