import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import type { StepCache } from '../cache/cache.ts';
import type { Failure, Happening, Original, RunEvent } from '../event.ts';
import type { Change } from '../host/host.ts';
import type { RunJournal } from '../journal/journal.ts';
import { fileName } from '../plan/graph.ts';
import type { Reporter } from '../report/report.ts';
import type { Environment } from './environment.ts';
import { type Redact, redactDeep } from './redact.ts';
import type { Workspace } from './workspace.ts';

/** What a step leaves to those that need it. `hash` is over values and files. */
export type Given = { readonly values: unknown; readonly hash: string };

export type StepResult =
  | ({ readonly kind: 'done'; readonly ms: number; readonly acted: boolean; readonly attempts: number } & Given)
  | ({ readonly kind: 'cached'; readonly original: Original } & Given)
  | { readonly kind: 'skipped'; readonly why: string }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'interrupted' }
  /** A step that it needs did not succeed, or the run was stopping before it began. */
  | { readonly kind: 'unstarted'; readonly why: string };

/** Everything that the steps of one run share. */
export type Session = {
  readonly run: string;
  /** Where the CI host shows it. */
  readonly url: string | undefined;
  readonly change: Change;
  readonly workspace: Workspace;
  readonly cache: StepCache;
  /** False: every step is executed, whatever the cache holds. */
  readonly readCache: boolean;
  /** Steps that are never carried out: what they left is taken, or the run is refused. */
  readonly taken: ReadonlySet<string>;
  readonly code: readonly string[];
  readonly env: Environment;
  readonly secrets: Readonly<Record<string, string>>;
  readonly redact: Redact;
  readonly emit: Emit;
  /** What this run did until it was started this time, here and elsewhere. */
  readonly before: readonly RunEvent[];
  /** Absolute. */
  readonly folders: { readonly logs: string; readonly work: string };
  readonly signal: AbortSignal;
};

/** @throws {HeadgateError} `REFUSED`, for a step that may not be carried out, with what it would do */
export function requireUntaken(step: string, { taken }: Pick<Session, 'taken'>, would: string): void {
  if (!taken.has(step)) return;
  throw new HeadgateError('REFUSED', `Cannot take what "${step}" left as there is nothing: it would ${would}`, {
    hint: 'run it first, without --from and --only',
  });
}

export type Emit = (happening: Happening) => void;

/** Where the logs of a run lie, on every host. */
export function logsFolder(root: string): string {
  return join(root, 'out', 'logs');
}

export function logFile({ folders }: { readonly folders: Pick<Session['folders'], 'logs'> }, step: string): string {
  return join(folders.logs, `${fileName(step)}.log`);
}

/** The one place that every event goes through: secrets out, then onto the disk, then to whoever listens. */
export function emitter(redact: Redact, journal: RunJournal, listeners: readonly Reporter[]): Emit {
  const reporters = new Set(listeners);
  const emit: Emit = (happening) => {
    const event = redactDeep({ at: Date.now(), ...happening }, redact) as RunEvent; // A happening with its time is an event.
    if (event.kind !== 'step.line') journal.append(event);
    for (const reporter of reporters) {
      try {
        reporter.on(event);
      } catch (error) {
        // A broken view never breaks the run. It is not asked again.
        reporters.delete(reporter);
        emit({ kind: 'warning', message: `a reporter failed and is left out: ${String(error)}` });
      }
    }
  };
  return emit;
}
