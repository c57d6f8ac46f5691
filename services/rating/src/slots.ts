/** A bound on how much is done at the same time. One loop takes the slots, any number of workers give them back. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  #changed: (() => void) | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Waits for a free slot and takes it. `false`, at once, if `signal` aborts first. */
  async take(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#taken >= this.#size) await this.#change(signal);
    if (signal.aborted) return false;
    this.#taken++;
    return true;
  }

  giveBack(): void {
    this.#taken--;
    this.#changed?.();
  }

  /** Resolves when all slots are free. */
  async empty(): Promise<void> {
    while (this.#taken > 0) await this.#change();
  }

  #change(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#changed = done;
      signal?.addEventListener('abort', done);
    });
  }
}
