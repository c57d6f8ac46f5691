/** Whether something that the service needs is there, and for how long it has been away. */
export class Presence {
  #everUp = false;
  #downSince: number | undefined = performance.now();

  up(): void {
    this.#everUp = true;
    this.#downSince = undefined;
  }

  down(): void {
    this.#downSince ??= performance.now();
  }

  /** What it was at `now`. */
  standing(now = performance.now()): Standing {
    return { everUp: this.#everUp, downMs: this.#downSince === undefined ? 0 : now - this.#downSince };
  }
}

/** `downMs` is 0 while it is there. */
export type Standing = { readonly everUp: boolean; readonly downMs: number };
