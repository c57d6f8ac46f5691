import type { Gate } from '@headgate/rollout';
import type { Original } from '../event.ts';
import type { KeyParts } from '../plan/key.ts';
import type { Workspace } from '../run/workspace.ts';

export type StoredFile = { readonly path: string; readonly executable: boolean; readonly sha256: string };

/** A pure step's result under its key. */
export type Entry = {
  readonly key: string;
  readonly parts: KeyParts;
  /** As the step gave them; read again by its schema, for whoever wrote the store is not trusted to have had today's types. */
  readonly values: unknown;
  readonly files: readonly StoredFile[];
  /** Of the whole log; it is shown again in place of a new one. */
  readonly log: string;
  readonly original: Original;
  /** What it had to pass; they are reported again. Unknown of entries of before. */
  readonly gates?: readonly Gate[];
};

/** Where the results of pure steps are kept. Broken, it costs time and never the run: callers go on without it. */
export interface StepCache {
  /** For people, e.g. `folder`. */
  readonly where: string;
  /** @throws for an entry that is damaged; it is a miss. */
  find(step: string, key: string, signal: AbortSignal): Promise<Entry | undefined>;
  /** The newest of this step, whatever its key: what a change is told against. */
  latest(step: string, signal: AbortSignal): Promise<Entry | undefined>;
  /** Puts the files back where they are missing or differ, and the log at `log`. False if something of it is gone: a miss. @throws if it is damaged */
  restore(
    entry: Entry,
    to: { readonly workspace: Workspace; readonly log: string },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** `log`: absolute path of the log to keep. */
  keep(
    entry: Omit<Entry, 'log'>,
    from: { readonly workspace: Workspace; readonly log: string },
    signal: AbortSignal,
  ): Promise<void>;
}
