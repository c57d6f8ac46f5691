import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { headFallenBy } from '../report/fallen.rig.ts';
import { aShell } from './shell.rig.ts';

const good = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

/** A shell beside the journal of a release that failed all that its candidate got. */
async function afterRelease() {
  const shell = await aShell({ 'headgate.yaml': good });
  const { journal } = openFileJournal(join(shell.cwd, '.headgate/journal'));
  const signal = AbortSignal.timeout(5_000);
  const state = {
    phase: { kind: 'rolledBack', since: 5_000, backlog: 0, reason: { kind: 'verdict', text: 'it fails' } },
  };
  const look = { now: 5_000, weights: { blue: 95, green: 5 }, evidence: { logRollback: Math.log(200), logPromote: 0 } };
  const decision = { release: 7, look, after: state, commands: [], why: 'the candidate fails more than tolerated' };
  const head = { app: 'ratings', lanes: {}, release: { id: 7, state }, history: [], decisions: [decision] };
  await journal.write(head, undefined, signal);
  const settings = { alpha: 0.01, beta: 0.01, bakeSec: 180, tolerate: 'default', slow: [] };
  const live = { requests: 950, failed: 1, refused: 0 };
  const sample = { seconds: 1, candidateShare: 5, live, candidate: { requests: 50, failed: 50, refused: 0 } };
  const samples = [1, 2, 3, 4, 5].map((sec) => ({ kind: 'sample', at: 1_000 * sec, lags: null, sample }));
  await journal.appendEvidence(7, [{ kind: 'start', settings }, ...samples], signal);
  return shell;
}

test('why tells each decision with what was seen, what every rule says, and the release at a glance', async () => {
  await using shell = await afterRelease();

  const { code, out } = await shell.run('why', '7');

  expect(code).toBe(0);
  expect(out).toMatch(
    /^00:00:05 {2}rolledBack: the candidate fails more than tolerated\n.*worse 200:1, good enough 1:1$/m,
  );
  expect(out).toMatch(/^ROLLBACK: worse than tolerated /m);
  expect(out).toMatch(/^ {2}requests failed .* to go; 250 of 250 .*; tolerated to \d\.\d\d %, unacceptable from \d/m);
  expect(out).toMatch(/^worse than tolerated .*█ rolls back$/m);
});

test('why --json has the decisions, and the verdict of every rule with its threshold', async () => {
  await using shell = await afterRelease();

  const { out } = await shell.run('why', '--json');

  expect(JSON.parse(out)).toMatchObject({
    decisions: [{ release: 7 }],
    judge: {
      compared: { kind: 'rollback', reason: 'failed', rules: [{ name: 'failed', spoke: { kind: 'ratio' } }, {}, {}] },
    },
  });
});

test('why --plot is one picture', async () => {
  await using shell = await afterRelease();

  const { out } = await shell.run('why', '7', '--plot');

  expect(out).toMatch(/^<svg [\s\S]*Release 7: ROLLBACK after[\s\S]*<\/svg>\n$/);
});

test('why without a number tells of the rolling update that came last', async () => {
  await using shell = await aShell({ 'headgate.yaml': good });
  const { journal } = openFileJournal(join(shell.cwd, '.headgate/journal'));
  const ended = {
    revision: 'ab'.repeat(32),
    strategy: 'rolling',
    actor: 'kim@desk',
    startedAt: 1_000,
    endedAt: 41_000,
  };
  const history = [{ ...ended, id: 8, commit: 'c'.repeat(40), outcome: 'rolledBack', text: 'proxy: crash' }];
  const quarantined = [{ revision: ended.revision, release: 8, text: 'proxy: crash' }];
  const head = { app: 'ratings', lanes: {}, decisions: [], history, quarantined };
  await journal.write(head, undefined, AbortSignal.timeout(5_000));

  const { code, out } = await shell.run('why');

  expect(code).toBe(0);
  expect(out.trimEnd().split('\n')).toEqual([
    'rolling update 8 (abababab) was rolled back after 40 s: proxy: crash',
    'commit ccccccc, by kim@desk',
    'live has what it had before',
    'this revision does not come back by itself',
  ]);
});

test('why says what the instance said last that a release went back for', async () => {
  await using shell = await aShell({ 'headgate.yaml': good });
  const { journal } = openFileJournal(join(shell.cwd, '.headgate/journal'));
  await journal.write(
    headFallenBy(['Error: no table', '\u001b[31m::error::owned']),
    undefined,
    AbortSignal.timeout(5_000),
  );

  const { out } = await shell.run('why', '7');

  expect(out).toMatch(/^00:00:04 .*does not start: proxy: crash: .*$/m);
  expect(out).toMatch(/^ {10}said: Error: no table\n {10}said: ::error::owned$/m);
});
