import type { RunEvent } from '../event.ts';

/** What one machine tells the others of a run. */
export type Told = {
  readonly events: readonly RunEvent[];
  /** By step: the end of its log. */
  readonly logs: ReadonlyMap<string, Buffer>;
};

/** A run's journal where other machines find it. A hint and no more: what is done is looked for, never believed. */
export interface JournalCopy {
  /** `undefined` for none, and for one that does not count. */
  find(run: string, signal: AbortSignal): Promise<Told | undefined>;
  /** Beside what other machines told of the same run. Steps that are left out keep the log that they have there. */
  keep(run: string, told: Told, signal: AbortSignal): Promise<void>;
  /** Told of what went wrong, which changes nothing about the run. */
  readonly warn: (message: string) => void;
}
