import { describe, expect, test } from '@jest/globals';
import type { Happening, RunEvent } from '../event.ts';
import { formatEvent, formatPlan } from './lines.ts';

const at = Date.UTC(2026, 0, 2, 3, 4, 5);

function lines(happening: Happening): readonly string[] {
  return formatEvent({ at, ...happening } as RunEvent);
}

const start = {
  kind: 'run.start',
  run: '0a1b2c',
  pipeline: 'ratings',
  commit: '0123456789abcdef',
  dirty: false,
  actor: 'kim@desk',
  resumed: false,
  steps: ['lint'],
} as const;
const failure = { class: 'COMMAND', message: 'a command ended with exit code 3', hint: undefined, exitCode: 1 };
const done = { kind: 'step.done', step: 'lint', ms: 12, acted: true, attempts: 1, values: undefined } as const;

test('formatPlan() is a line for each step, and one for each remark of it', () => {
  const step = 'image:rating';

  expect(
    formatPlan([
      { step, kind: 'cached', where: 'folder', run: '0a1b2c', at },
      { step, kind: 'would-run', changed: ['file src/main.ts', 'env MODE'] },
      { step: 'publish', kind: 'would-act', diff: 'push 1 images to host/ratings' },
      { step: 'sign', kind: 'nothing-to-do', remarks: ['bootstrap is\ndue', 'and more'] },
      { step: 'release', kind: 'blocked', by: ['publish'] },
      { step: 'perf', kind: 'skipped', why: 'nothing is live\u001b[2J' },
      { step: 'staging', kind: 'unseen', why: 'Cannot reach it' },
    ]),
  ).toEqual([
    '= image:rating         cached in the folder, from run 0a1b2c at 2026-01-02T03:04:05.000Z',
    '> image:rating         would run: file src/main.ts, env MODE',
    '> publish              would push 1 images to host/ratings',
    '= sign                 nothing to do',
    '! sign                 bootstrap is due',
    '! sign                 and more',
    '? release              depends on what publish will give',
    '- perf                 nothing is live',
    '? staging              Cannot reach it',
  ]);
});

test('formatPlan() names the first of many changes, and counts the rest', () => {
  const changed = Array.from({ length: 250 }, (_, index) => `file ${index}`);

  const [line] = formatPlan([{ step: 'check', kind: 'would-run', changed }]);

  expect(line).toMatch(/would run: file 0, .*file 9 and 240 more$/);
});

describe('formatEvent()', () => {
  test.each<{ what: string; happening: Happening; shows: readonly string[] }>([
    { what: 'a start', happening: start, shows: ['ratings · 0123456 · run 0a1b2c · by kim@desk'] },
    {
      what: 'a run that goes on with uncommitted changes',
      happening: { ...start, dirty: true, resumed: true },
      shows: ['ratings · 0123456 and uncommitted changes · run 0a1b2c, resumed · by kim@desk'],
    },
    {
      what: 'a start outside of a repository',
      happening: { ...start, commit: undefined, dirty: true },
      shows: ['ratings · no commit · run 0a1b2c · by kim@desk'],
    },
    {
      what: 'a run that somebody else began and did not end',
      happening: { ...start, resumed: true, attempt: 2, last: { actor: 'actions/7/1', at, outcome: undefined } },
      shows: [
        'ratings · 0123456 · run 0a1b2c, resumed · by kim@desk',
        '  attempt 2, after that of actions/7/1: last heard of at 2026-01-02T03:04:05.000Z',
      ],
    },
    {
      what: 'a run that somebody else ended, as other machines tell',
      happening: { ...start, elsewhere: true, attempt: 3, last: { actor: 'lee@desk', at, outcome: 'failed' } },
      shows: [
        'ratings · 0123456 · run 0a1b2c · by kim@desk, elsewhere',
        '  attempt 3, after that of lee@desk: failed at 2026-01-02T03:04:05.000Z',
      ],
    },
    {
      what: 'no word of what one did oneself and ended',
      happening: { ...start, attempt: 2, last: { actor: 'kim@desk', at, outcome: 'done' } },
      shows: ['ratings · 0123456 · run 0a1b2c · by kim@desk'],
    },
    {
      what: 'an effect that somebody else did',
      happening: { ...done, acted: false, by: { actor: 'lee@desk', at, finished: true } },
      shows: ['✓ lint                 nothing to do: finished by lee@desk at 2026-01-02T03:04:05.000Z'],
    },
    {
      what: 'an effect that somebody else did, and did not live to say so',
      happening: { ...done, acted: false, by: { actor: 'lee@desk', at, finished: false } },
      shows: ['✓ lint                 nothing to do: begun by lee@desk at 2026-01-02T03:04:05.000Z'],
    },
    {
      what: 'a cached step with the run that executed it',
      happening: {
        kind: 'step.cached',
        step: 'unit:proxy',
        key: 'k',
        where: 'folder',
        original: { run: '0a1b2c', at, ms: 2_345 },
        values: null,
      },
      shows: ['= unit:proxy           cached, 2.3 s in run 0a1b2c at 2026-01-02T03:04:05.000Z'],
    },
    { what: 'a step that is done', happening: done, shows: ['✓ lint                 12 ms'] },
    {
      what: 'a flaky step',
      happening: { ...done, attempts: 2 },
      shows: ['✓ lint                 12 ms, flaky: attempt 2 passed'],
    },
    {
      what: 'an effect without work',
      happening: { ...done, acted: false },
      shows: ['✓ lint                 nothing to do'],
    },
    {
      what: 'an effect about to act',
      happening: { kind: 'intent', step: 'publish', what: 'push 2 images' },
      shows: ['> publish              push 2 images'],
    },
    {
      what: 'an annotation with its place',
      happening: {
        kind: 'annotation',
        step: 'lint',
        note: { level: 'error', message: 'unused', file: 'a.ts', line: 7 },
      },
      shows: ['! lint                 a.ts:7 unused'],
    },
    {
      what: 'an attempt that failed',
      happening: { kind: 'step.retry', step: 'lint', attempt: 1, failure },
      shows: ['! lint                 attempt 1 failed, trying again: a command ended with exit code 3'],
    },
    {
      what: 'a failure with its hint and the end of its log',
      happening: {
        kind: 'step.fail',
        step: 'lint',
        ms: 61_000,
        failure: { ...failure, hint: 'correct it' },
        tail: ['a.ts', '  7 unused'],
        log: 'out/logs/lint.log',
      },
      shows: [
        '✗ lint                 1 min 1 s, COMMAND: a command ended with exit code 3',
        '  correct it',
        '    | a.ts',
        '    |   7 unused',
        '    the whole log: out/logs/lint.log',
      ],
    },
    {
      what: 'a failure without a log',
      happening: { kind: 'step.fail', step: 'lint', ms: 1, failure, tail: [], log: 'out/logs/lint.log' },
      shows: ['✗ lint                 1 ms, COMMAND: a command ended with exit code 3'],
    },
    {
      what: 'a skipped step with the reason',
      happening: { kind: 'step.skip', step: 'deploy', why: 'only on main' },
      shows: ['- deploy               only on main'],
    },
    { what: 'a warning', happening: { kind: 'warning', message: 'slow disk' }, shows: ['! slow disk'] },
    {
      what: 'an interruption and the way on',
      happening: { kind: 'run.interrupted', reason: 'SIGTERM' },
      shows: ['! interrupted: SIGTERM; run it again to go on'],
    },
    { what: 'the end', happening: { kind: 'run.end', outcome: 'failed', ms: 900 }, shows: ['failed in 900 ms'] },
    { what: 'nothing for a line', happening: { kind: 'step.line', step: 'lint', line: 'x' }, shows: [] },
    {
      what: 'nothing for a start of a step',
      happening: { kind: 'step.start', step: 'lint', attempt: 1, key: undefined, changed: undefined },
      shows: [],
    },
  ])('shows $what', ({ happening, shows }) => {
    expect(lines(happening)).toEqual(shows);
  });

  test.each([
    { ms: 0.4, shows: '0 ms' },
    { ms: 999.4, shows: '999 ms' },
    { ms: 999.6, shows: '1.0 s' },
    { ms: 59_940, shows: '59.9 s' },
    { ms: 59_960, shows: '1 min 0 s' },
    { ms: 119_700, shows: '2 min 0 s' },
    { ms: 125_000, shows: '2 min 5 s' },
  ])('writes $ms ms as $shows', ({ ms, shows }) => {
    expect(lines({ kind: 'run.end', outcome: 'done', ms })).toEqual([`done in ${shows}`]);
  });
});
