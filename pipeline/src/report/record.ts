import type { Gate } from '@headgate/rollout';
import type { Annotation, Failure, Original, Outcome, RunEvent } from '../event.ts';
import type { Reporter } from './report.ts';

/** What became of a step, as far as it is known. */
export type StepEnd =
  | { readonly kind: 'unstarted' }
  /** Begun, and not ended when the run was. */
  | { readonly kind: 'running' }
  | { readonly kind: 'done'; readonly ms: number; readonly acted: boolean; readonly attempts: number }
  | { readonly kind: 'cached'; readonly where: string; readonly original: Original }
  | { readonly kind: 'skipped'; readonly why: string }
  | {
      readonly kind: 'failed';
      readonly ms: number;
      readonly failure: Failure;
      readonly tail: readonly string[];
      readonly log: string;
    };

export type StepRecord = {
  readonly id: string;
  readonly end: StepEnd;
  readonly notes: readonly Annotation[];
  /** Of its last attempt. */
  readonly gates: readonly Gate[];
  /** Failures of attempts before the last. */
  readonly retries: readonly Failure[];
};

/** One run as a whole: what every report is made of. */
export type RunRecord = {
  readonly run: string;
  readonly pipeline: string;
  readonly commit: string | undefined;
  readonly dirty: boolean;
  readonly actor: string;
  readonly resumed: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly ms: number;
  /** `interrupted` until the run says how it ended. */
  readonly outcome: Outcome;
  /** In the order of the pipeline. */
  readonly steps: readonly StepRecord[];
  readonly warnings: readonly string[];
};

/** A step that failed and then passed: nobody may take it for sound. */
export function isFlaky({ end }: StepRecord): boolean {
  return end.kind === 'done' && end.attempts > 1;
}

/** Folds a run's events, and hands the whole over when the run has ended. A run that never began is not handed over. */
export function recordReporter(whenOver: (record: RunRecord) => void): Reporter {
  let record: RunRecord | undefined;
  return {
    on: (event) => {
      record = event.kind === 'run.start' ? begin(event) : record && follow(record, event);
    },
    close: () => {
      if (record !== undefined) whenOver(record);
    },
  };
}

function begin(event: Extract<RunEvent, { kind: 'run.start' }>): RunRecord {
  const { run, pipeline, commit, dirty, actor, resumed, at, steps } = event;
  const empty = { end: { kind: 'unstarted' }, notes: [], gates: [], retries: [] } as const;
  return {
    run,
    pipeline,
    commit,
    dirty,
    actor,
    resumed,
    startedAt: at,
    ms: 0,
    outcome: 'interrupted',
    steps: steps.map((id) => ({ id, ...empty })),
    warnings: [],
  };
}

function follow(record: RunRecord, event: RunEvent): RunRecord {
  switch (event.kind) {
    case 'warning':
      return { ...record, warnings: [...record.warnings, event.message] };
    case 'run.end':
      return { ...record, outcome: event.outcome, ms: event.ms };
    case 'run.start':
    case 'run.interrupted':
    case 'step.line':
    case 'intent':
      return record;
    default:
      return {
        ...record,
        steps: record.steps.map((step) => (step.id === event.step ? followStep(step, event) : step)),
      };
  }
}

type StepEvent = Exclude<
  Extract<RunEvent, { readonly step: string }>,
  { readonly kind: 'step.line' } | { readonly kind: 'intent' }
>;

function followStep(step: StepRecord, event: StepEvent): StepRecord {
  switch (event.kind) {
    case 'step.start':
      return { ...step, end: { kind: 'running' }, gates: [] };
    case 'gate':
      return { ...step, gates: [...step.gates, event.gate] };
    case 'annotation':
      return { ...step, notes: [...step.notes, event.note] };
    case 'step.retry':
      return { ...step, retries: [...step.retries, event.failure] };
    case 'step.done':
      return { ...step, end: { kind: 'done', ms: event.ms, acted: event.acted, attempts: event.attempts } };
    case 'step.cached':
      return { ...step, end: { kind: 'cached', where: event.where, original: event.original } };
    case 'step.skip':
      return { ...step, end: { kind: 'skipped', why: event.why } };
    case 'step.fail': {
      const { ms, failure, tail, log } = event;
      return { ...step, end: { kind: 'failed', ms, failure, tail, log } };
    }
  }
}
