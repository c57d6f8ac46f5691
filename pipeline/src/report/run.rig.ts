import type { Happening, RunEvent } from '../event.ts';
import type { Reporter } from './report.ts';

/** A run of three steps, for reports: one passed on its second attempt, one came from the cache, one failed. */
export function aRun(words = 'words'): readonly RunEvent[] {
  const failure = { class: 'COMMAND', message: `failed: ${words}`, hint: `try ${words}`, exitCode: 1 };
  const happenings: readonly Happening[] = [
    {
      kind: 'run.start',
      run: '0123456789ab',
      pipeline: 'deliver-ratings',
      commit: 'a1b2c3d4e5f6',
      dirty: false,
      actor: 'kim@desk',
      resumed: false,
      steps: ['check', 'image:proxy', 'imagetest:proxy', 'publish'],
    },
    { kind: 'step.start', step: 'check', attempt: 1, key: 'k1', changed: ['never run'] },
    { kind: 'step.line', step: 'check', line: words },
    { kind: 'step.retry', step: 'check', attempt: 1, failure },
    { kind: 'step.start', step: 'check', attempt: 2, key: 'k1', changed: ['never run'] },
    { kind: 'annotation', step: 'check', note: { level: 'warning', message: words, file: 'src/main.ts', line: 3 } },
    { kind: 'step.done', step: 'check', ms: 1_234, acted: true, attempts: 2, values: null },
    {
      kind: 'step.cached',
      step: 'image:proxy',
      key: 'k2',
      where: 'folder',
      original: { run: 'ba9876543210', at: 1_700_000_000_000, ms: 900, url: 'https://ci.example/runs/7' },
      values: null,
    },
    { kind: 'step.start', step: 'imagetest:proxy', attempt: 1, key: undefined, changed: undefined },
    { kind: 'intent', step: 'imagetest:proxy', what: words },
    {
      kind: 'step.fail',
      step: 'imagetest:proxy',
      ms: 2_000,
      failure,
      tail: [words, 'the last line'],
      log: '/root/out/logs/imagetest.proxy.log',
    },
    { kind: 'warning', message: words },
    { kind: 'run.end', outcome: 'failed', ms: 4_000 },
  ];
  return happenings.map((happening, index) => ({ at: 1_700_000_100_000 + index, ...happening }) as RunEvent);
}

export function play(reporter: Reporter, events: readonly RunEvent[]): void {
  for (const event of events) reporter.on(event);
  reporter.close();
}
