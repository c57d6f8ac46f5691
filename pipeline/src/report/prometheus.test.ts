import { instant } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { metricsOfReleases, metricsOfRun } from './prometheus.ts';
import { type RunRecord, recordReporter } from './record.ts';
import { aRun, play } from './run.rig.ts';

test('metricsOfRun() tells the time of the run and of each step that ran, and of no other', () => {
  const records: RunRecord[] = [];
  play(
    recordReporter((record) => records.push(record)),
    aRun(),
  );

  expect(
    metricsOfRun(records[0] as RunRecord)
      .split('\n')
      .filter((line) => !line.startsWith('#')),
  ).toEqual([
    'headgate_run_seconds{pipeline="deliver-ratings",outcome="failed"} 4',
    'headgate_step_seconds{pipeline="deliver-ratings",step="check",end="done"} 1.234',
    'headgate_step_seconds{pipeline="deliver-ratings",step="imagetest:proxy",end="failed"} 2',
    '',
  ]);
});

describe('metricsOfReleases()', () => {
  const release = (id: number, outcome: 'promoted' | 'rolledBack', minutes: number) => ({
    id,
    outcome,
    revision: 'r',
    commit: String(id),
    strategy: 'canary' as const,
    actor: 'kim',
    startedAt: instant(id * 3_600_000),
    endedAt: instant(id * 3_600_000 + minutes * 60_000),
    text: '',
  });

  test('tells how many, which share failed, and the medians of lead time and time to restore', () => {
    const releases = [
      release(1, 'promoted', 10),
      release(2, 'rolledBack', 2),
      release(3, 'promoted', 20),
      release(4, 'promoted', 30),
    ];
    const committedAt = new Map([1, 3].map((id) => [String(id), (id * 60 - 5) * 60_000])); // 5 minutes before; of 4 nobody knows.

    const lines = metricsOfReleases('rat"ings', releases, committedAt).split('\n');

    expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
      'headgate_releases{app="rat\\"ings",outcome="promoted"} 3',
      'headgate_releases{app="rat\\"ings",outcome="rolledBack"} 1',
      'headgate_last_release_timestamp_seconds{app="rat\\"ings"} 16200',
      'headgate_change_failure_ratio{app="rat\\"ings"} 0.25',
      'headgate_lead_time_seconds{app="rat\\"ings"} 1200',
      'headgate_time_to_restore_seconds{app="rat\\"ings"} 120',
      '',
    ]);
  });

  test('of no release tells no share and no time', () => {
    expect(metricsOfReleases('a', [], new Map()).match(/^headgate_\w+/gm)).toEqual([
      'headgate_releases',
      'headgate_releases',
    ]);
  });
});
