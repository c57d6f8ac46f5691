import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const head =
  'seconds,share,live_requests,live_failed,live_refused,candidate_requests,candidate_failed,candidate_refused';
/** A candidate that fails a tenth of its requests, beside a live lane that fails one in a thousand. */
const csv = `${head}\n600,0,60000,60,0,0,0,0\n${'10,5,950,1,0,50,5,0\n'.repeat(6)}`;
const good = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

describe('judge replay', () => {
  test('says of a table of counts when the judge would have decided, as set and as set otherwise', async () => {
    await using shell = await aShell({ 'counts.csv': csv });

    const { code, out } = await shell.run('judge', 'replay', 'counts.csv', '--alpha', '1e-7');

    expect(code).toBe(0);
    expect(out).toMatch(/^counts\.csv: 6 looks over 1 min; live had 5700 requests, the candidate 300$/m);
    const [recorded, other] = [...out.matchAll(/^ {2}after (\d+) s, at 5 %: rollback, as the candidate fails/gm)];
    expect(Number(recorded?.[1])).toBeLessThan(Number(other?.[1]));
    expect(out).toContain('with other settings: alpha 1e-7, beta 0.01, bake 3 min');
  });

  test('answers as JSON, and touches nothing', async () => {
    await using shell = await aShell({ 'counts.csv': csv });

    const { out } = await shell.run('judge', 'replay', 'counts.csv', '--json', '--tolerate', 'relaxed');

    expect(JSON.parse(out)).toMatchObject({
      looks: 6,
      recorded: { settings: { tolerate: 'default' }, said: [{ kind: 'rollback', share: 5 }] },
      other: { settings: { tolerate: 'relaxed' }, compared: { kind: 'rollback', reason: 'failed' } },
    });
  });

  test('takes a release of this app by its number, and of a copied journal by --release', async () => {
    await using shell = await aShell({ 'headgate.yaml': good });
    const settings = { alpha: 0.01, beta: 0.01, bakeSec: 9, tolerate: 'strict', slow: [] };
    for (const folder of ['.headgate/journal', 'copy'])
      await openFileJournal(join(shell.cwd, folder)).journal.appendEvidence(
        7,
        [{ kind: 'start', settings }],
        AbortSignal.timeout(5_000),
      );

    const numbered = await shell.run('judge', 'replay', '7');
    const copied = await shell.run('judge', 'replay', 'copy', '--release', '7');

    expect(numbered.out).toMatch(
      /^release 7: 0 looks .*\nas recorded: alpha 0.01, beta 0.01, bake 9 s, tolerate strict/,
    );
    expect(copied.out).toBe(numbered.out);
  });

  test.each([
    { args: ['sideways'], says: 'there is only "replay"' },
    { args: ['replay', 'nowhere.csv'], says: 'there is no such file or folder' },
    { args: ['replay', '.'], says: 'nothing has been released yet' },
    { args: ['replay', '.', '--release', '3'], says: 'no evidence of it is kept' },
    { args: ['replay', '8'], says: 'there is no file' },
    {
      args: ['replay', 'counts.csv', '--alpha', '1'],
      says: '--alpha must be above 0 and below 1: current value is "1"',
    },
    { args: ['replay', 'counts.csv', '--bake', '3'], says: '--bake must be a duration' },
    { args: ['replay', 'counts.csv', '--tolerate', 'all'], says: '--tolerate must be one of strict, default, relaxed' },
    { args: ['replay', 'wrong.csv'], says: 'wrong.csv:3  live_failed must be a whole number: current value is "many"' },
  ])('$args exits 64 and says why', async ({ args, says }) => {
    await using shell = await aShell({
      'counts.csv': csv,
      'wrong.csv': `${head}\n10,5,95,0,0,5,0,0\n10,5,95,many,0,5,0,0\n`,
    });

    const { code, err } = await shell.run('judge', ...args);

    expect(code).toBe(64);
    expect(err).toContain(says);
  });
});
