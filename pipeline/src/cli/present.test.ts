import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Handled, openFileJournal } from '@headgate/rollout';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openGithubGuard, openPlainGuard } from '../host/guard.ts';
import { obeyedBy } from '../host/runner.rig.ts';
import { headFallenBy } from '../report/fallen.rig.ts';
import { hostileTexts } from '../report/hostile.rig.ts';
import type { Telling } from './ending.ts';
import { conclude } from './present.ts';
import type { Shell } from './shell.ts';

/** What a job that waits for release 7 shows at its end, on this host. */
async function endOf(
  host: 'github' | 'jenkins' | 'local',
  lines: readonly string[],
  folder: string,
  wantedBack = false,
) {
  let written = '';
  const write = (text: string) => {
    written += text;
  };
  const guard = (host === 'github' ? openGithubGuard : openPlainGuard)(write);
  // The toolkit of GitHub writes to the process itself.
  using _ = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    write(String(text));
    return true;
  });
  const env = { HEADGATE_HOST: host, NPM_TOKEN: 'hunter2-hunter2' };
  const signal = AbortSignal.timeout(10_000);
  const shell = { out: guard.write, err: guard.write, env, guard, isTerminal: false, user: 'kim@desk', signal };
  const { journal } = openFileJournal(join(folder, 'journal'));
  const head = headFallenBy(lines);
  await journal.write(head, undefined, signal);
  const handled = { kind: 'ended', head, release: 7 } as unknown as Handled;
  const app = { spec: { app: 'ratings' }, folder } as unknown as Telling['app'];
  const code = await conclude(handled, { app, journal, shell: shell as unknown as Shell }, wantedBack);
  guard.close();
  return { code, written, obeyed: obeyedBy(written).filter(({ name }) => name !== 'stop-commands') };
}

const lines = ['Error: no table for hunter2-hunter2', '    at main.js:3'];
const shown = ['Error: no table for ***', '    at main.js:3'];

describe('conclude() of a release whose instance crashes', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-present-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each(['github', 'jenkins', 'local'] as const)(
    'says on %s why, and its last lines without secrets',
    async (host) => {
      const { code, written } = await endOf(host, lines, folder);

      expect(code).toBe(11);
      expect(written).toMatch(/release 7 was rolled back, .*: the candidate does not start: proxy: crash: /);
      for (const line of shown) expect(written).toContain(`\n    | ${line}\n`);
      expect(written).not.toContain('hunter2');
      if (host === 'github') return;
      expect(await readFile(join(folder, 'out/summary.md'), 'utf8')).toContain(`\n${shown.join('\n')}\n`);
    },
  );

  test('puts them beside the job on GitHub, unless whoever asked wanted it back', async () => {
    const { obeyed } = await endOf('github', lines, folder);
    await rm(join(folder, 'journal'), { recursive: true });
    const wanted = await endOf('github', lines, folder, true);

    const [{ text = '' } = {}] = headFallenBy([]).history;
    expect(obeyed).toEqual([
      { name: 'error', properties: { title: 'release 7 was rolled back' }, data: [text, ...shown].join('\n') },
    ]);
    expect([wanted.code, wanted.obeyed]).toEqual([0, []]);
  });

  test.each(hostileTexts)('obeys nothing that it says: %j', async (text) => {
    const { obeyed, written } = await endOf('github', text.split('\n'), folder);

    expect(obeyed.map(({ name, properties }) => [name, properties])).toEqual([
      ['error', { title: 'release 7 was rolled back' }],
    ]);
    expect(written.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  });
});
