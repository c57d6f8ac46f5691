import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hostileTexts } from '../report/hostile.rig.ts';
import { aRun, play } from '../report/run.rig.ts';
import { summaryMaxBytes } from './files.ts';
import { git } from './git.rig.ts';
import type { CiHost } from './host.ts';

const signal = AbortSignal.timeout(20_000);

/** What the variable `DB_PASSWORD` of each host holds. */
export const hostSecret = 'correct horse & battery';

/** A host in a folder of its own, and what is found where its people look. */
export type HostUnderTest = {
  readonly host: CiHost;
  readonly actor: string;
  /** Everything that the process wrote. */
  readonly written: () => string;
  readonly outputs: () => Promise<Readonly<Record<string, string>>>;
  readonly summary: () => Promise<string>;
};

/** What every host must do, so that a run reads alike everywhere. `open` gets the root, a git repository on the branch `main`. */
export function describeCiHost(name: string, open: (root: string) => Promise<HostUnderTest>): void {
  describe(`${name} as a CiHost`, () => {
    let root: string;
    let under: HostUnderTest;
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'headgate-host-'));
      await git(root, 'init', '--quiet', '--initial-branch=main');
      await mkdir(join(root, 'src'));
      await writeFile(join(root, 'src/main.ts'), 'x');
      await git(root, 'add', '--all');
      await git(root, 'commit', '--quiet', '--message=change');
      under = await open(root);
    });
    afterEach(() => rm(root, { recursive: true, force: true }));

    test('change() names the commit that is checked out, its branch, its files and who acts', async () => {
      const change = await under.host.change(signal);

      expect(change).toEqual({
        commit: await git(root, 'rev-parse', 'HEAD'),
        branch: 'main',
        dirty: false,
        files: ['src/main.ts'],
        actor: under.actor,
      });
    });

    test('reporter() tells of every step, of the failure its cure and its last lines', () => {
      play(under.host.reporter(), aRun('late'));

      for (const words of ['check', 'image:proxy', 'imagetest:proxy', 'try late', 'the last line', 'failed in 4.0 s'])
        expect(under.written()).toContain(words);
    });

    test('reporter() passes on no control character but ends of lines', () => {
      for (const text of hostileTexts) play(under.host.reporter(), aRun(text));

      const steering = under
        .written()
        .split('\n')
        .filter((line) => /(?!\t)\p{Cc}/u.test(line));
      // GitHub's groups hold lines of a log as they are; its runner obeys nothing there (see the guard).
      expect(under.host.kind === 'github' ? [] : steering).toEqual([]);
    });

    test('output() hands values on as they are, also those of several lines, and later ones beside earlier ones', async () => {
      await under.host.output({ run: 'abc', 'image-proxy': 'host/proxy@sha256:1' });
      await under.host.output({ notes: 'one\ntwo\nEOF\nrun=owned' });

      expect(await under.outputs()).toEqual({
        run: 'abc',
        'image-proxy': 'host/proxy@sha256:1',
        notes: 'one\ntwo\nEOF\nrun=owned',
      });
    });

    test('mark() without what it needs to reach the commit says that it cannot', async () => {
      const marking = under.host.mark({ commit: 'a'.repeat(40), context: 'x', state: 'success', text: 'done' }, signal);

      expect(await marking).toBe('unsupported');
    });

    test('summarize() shows no secret, whoever wrote the text', async () => {
      await under.host.summarize(`rolled back by kim: the password is ${hostSecret}\n`);

      expect(await under.summary()).toBe('rolled back by kim: the password is ***\n');
    });

    test('summarize() adds, and cuts with a word what the host would lose whole', async () => {
      await under.host.summarize('# one\n');
      await under.host.summarize(`# two\n\n\`\`\`\`text\n${'a line of a log\n'.repeat(100_000)}\`\`\`\`\n`);
      await under.host.summarize('# three\n'.repeat(100_000));

      const summary = await under.summary();
      expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(summaryMaxBytes);
      expect(Buffer.byteLength(summary)).toBeGreaterThan(summaryMaxBytes * 0.95);
      expect(summary).toMatch(/^# one\n# two\n/);
      expect(summary).toContain('a line of a log\n````\n\n(cut here: the whole is in `out/`)\n');
      expect(summary.match(/^`{4}/gm)).toHaveLength(2);
    });
  });
}
