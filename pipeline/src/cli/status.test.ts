import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { newPlay, perform } from '../../../rollout/src/simulate/play.ts';
import { aShell } from './shell.rig.ts';

const good = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

/** A shell beside the journal of a release that waits for its judge. */
async function whileReleasing() {
  const shell = await aShell({ 'headgate.yaml': good });
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'verdict hold', 'until holding (step 0)']) perform(play, line);
  const { journal } = openFileJournal(join(shell.cwd, '.headgate/journal'));
  const head = JSON.parse(JSON.stringify({ ...play.head, app: 'ratings' }));
  await journal.write(head, undefined, AbortSignal.timeout(5_000));
  return shell;
}

test('status tells a script by its exit code what is going on', async () => {
  await using shell = await whileReleasing();

  expect((await shell.run('status')).code).toBe(3);
});

test("status --report puts the same onto the job's page, and ends well when it could tell", async () => {
  await using shell = await whileReleasing();

  const { code, out } = await shell.run('status', '--report');

  const page = readFileSync(join(shell.cwd, 'out/summary.md'), 'utf8');
  expect(code).toBe(0);
  expect(out).toMatch(/^ratings · release 1 · /);
  expect(page).toBe(`## ratings\n\`\`\`text\n${out}\`\`\`\n`);
});
