/** Delivery in numbers, as Prometheus reads them from a file, by a textfile collector or a push. */
import type { Head } from '@headgate/rollout';
import type { RunRecord } from './record.ts';

/** How long a run and each of its steps took. What did not run has no time. */
export function metricsOfRun({ pipeline, outcome, ms, steps }: RunRecord): string {
  const timed = steps.flatMap(({ id, end }) => ('ms' in end ? [{ step: id, end: end.kind, ms: end.ms }] : []));
  return textOf([
    gauge('headgate_run_seconds', 'How long the last run took', [[{ pipeline, outcome }, ms / 1_000]]),
    gauge(
      'headgate_step_seconds',
      'How long a step of the last run took',
      timed.map(({ step, end, ms: took }) => [{ pipeline, step, end }, took / 1_000]),
    ),
  ]);
}

type Released = Head['history'];

/**
 * Of all releases on record: how many, which share failed, from a commit to all users, and from the start of a failed one until
 * traffic was where it was before. `committedAt` knows commits by their full id, in milliseconds since the epoch.
 */
export function metricsOfReleases(app: string, releases: Released, committedAt: ReadonlyMap<string, number>): string {
  const good = releases.filter(({ outcome }) => outcome === 'promoted');
  const bad = releases.filter(({ outcome }) => outcome === 'rolledBack');
  const leadMs = good.flatMap(({ commit, endedAt }) => {
    const at = commit === undefined ? undefined : committedAt.get(commit);
    return at === undefined ? [] : [endedAt - at];
  });
  const restoreMs = bad.map(({ startedAt, endedAt }) => endedAt - startedAt);
  return textOf([
    gauge('headgate_releases', 'Releases on record', [
      [{ app, outcome: 'promoted' }, good.length],
      [{ app, outcome: 'rolledBack' }, bad.length],
    ]),
    gauge('headgate_last_release_timestamp_seconds', 'When the newest release on record ended', [
      [{ app }, releases.length === 0 ? undefined : Math.max(...releases.map(({ endedAt }) => endedAt)) / 1_000],
    ]),
    gauge('headgate_change_failure_ratio', 'Share of releases on record that were rolled back', [
      [{ app }, releases.length === 0 ? undefined : bad.length / releases.length],
    ]),
    gauge('headgate_lead_time_seconds', 'Median time from a commit until all users have it and its watch has ended', [
      [{ app }, medianSeconds(leadMs)],
    ]),
    gauge(
      'headgate_time_to_restore_seconds',
      'Median time from the start of a release that was rolled back to its end',
      [[{ app }, medianSeconds(restoreMs)]],
    ),
  ]);
}

/** `undefined` of nothing: no number is not 0. */
function medianSeconds(times: readonly number[]): number | undefined {
  const sorted = [...times].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2_000;
}

type Labels = Readonly<Record<string, string>>;

function gauge(
  name: string,
  help: string,
  values: readonly (readonly [Labels, number | undefined])[],
): readonly string[] {
  const lines = values.flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}{${labelsOf(labels)}} ${value}`],
  );
  return lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}

function labelsOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`)
    .join(',');
}

function textOf(metrics: readonly (readonly string[])[]): string {
  return metrics
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}
