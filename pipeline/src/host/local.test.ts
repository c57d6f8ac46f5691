import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { git as gitIn } from './git.rig.ts';
import { readAncestry, readCommitTimes, repositoryFiles, requireHistory } from './git.ts';
import { openPlainGuard } from './guard.ts';
import { openHost } from './local.ts';

const local = (root: string) =>
  openHost({ root, env: {}, write: () => {}, guard: openPlainGuard(() => {}), isTerminal: false });

describe('a local host', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-host-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const git = (...args: string[]) => gitIn(root, ...args);

  async function write(path: string, text = 'x'): Promise<void> {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }

  async function commit(...paths: string[]): Promise<string> {
    for (const path of paths) await write(path, `${Math.random()}`);
    await git('add', '--all');
    await git('commit', '--quiet', '--message=change');
    return git('rev-parse', 'HEAD');
  }

  const change = (folder = root) => local(folder).change(AbortSignal.timeout(10_000));

  test('knows no commit outside of a repository', async () => {
    expect(await change()).toMatchObject({ commit: undefined, branch: undefined, files: [] });
  });

  test('knows no commit before the first', async () => {
    await git('init', '--quiet');

    expect(await change()).toMatchObject({ commit: undefined, dirty: true });
  });

  test('repositoryFiles() are what git keeps or would keep, of the whole repository, and nothing that was made', async () => {
    await git('init', '--quiet');
    await write('.gitignore', 'ignored\n');
    await commit('.github/grün.yml', 'app/dist/kept.js', 'app/gone.txt');
    await rm(join(root, 'app/gone.txt'));
    for (const path of ['app/new.txt', 'ignored', 'app/out/run.json', 'node_modules/a/b.js']) await write(path);

    const files = await repositoryFiles(join(root, 'app'), AbortSignal.timeout(10_000));

    const kept = ['../.github/grün.yml', '../.gitignore', 'dist/kept.js', 'gone.txt', 'new.txt'];
    expect([...(files ?? [])].sort()).toEqual(kept);
  });

  test('tells all files of the first commit, and who is to be asked', async () => {
    await git('init', '--quiet', '--initial-branch=main');
    const head = await commit('b.txt', 'a/with space.txt', 'grün.txt');

    expect(await change()).toEqual({
      commit: head,
      branch: 'main',
      dirty: false,
      files: ['a/with space.txt', 'b.txt', 'grün.txt'],
      actor: expect.stringMatching(/^.+@.+$/),
    });
  });

  test('tells what is not committed beside what the last commit touched', async () => {
    await git('init', '--quiet');
    await commit('old.txt', 'gone.txt', '.gitignore');
    const head = await commit('new.txt');
    await write('old.txt', 'other');
    await write('deep/untracked.txt');
    await rm(join(root, 'gone.txt'));

    expect(await change()).toMatchObject({
      commit: head,
      dirty: true,
      files: ['deep/untracked.txt', 'gone.txt', 'new.txt', 'old.txt'],
    });
  });

  test('tells of a merge what it brought to its branch', async () => {
    await git('init', '--quiet', '--initial-branch=main');
    await commit('base.txt');
    await git('checkout', '--quiet', '-b', 'feature');
    await commit('feature.txt');
    await git('checkout', '--quiet', 'main');
    await commit('main.txt');
    await git('merge', '--quiet', '--no-ff', '--message=merge', 'feature');

    expect(await change()).toMatchObject({ branch: 'main', dirty: false, files: ['feature.txt'] });
  });

  test('knows no branch at a detached commit', async () => {
    await git('init', '--quiet');
    const head = await commit('a.txt');
    await git('checkout', '--quiet', '--detach');

    expect(await change()).toMatchObject({ commit: head, branch: undefined, dirty: false });
  });

  test('tells only files below its root, relative to it', async () => {
    await git('init', '--quiet');
    await commit('outside.txt', 'app/inside.txt');
    await write('app/new.txt');
    await write('beside.txt');

    expect(await change(join(root, 'app'))).toMatchObject({ dirty: true, files: ['inside.txt', 'new.txt'] });
  });

  test.each([
    {
      what: 'whose files are those of another user',
      env: { GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' },
      message: 'fatal: detected dubious ownership in repository at',
      hint: 'git config --global --add safe.directory ',
    },
    { what: 'without git', env: { PATH: '/none' }, message: 'git must be on the PATH', hint: 'install git' },
    { what: 'with broken settings', write: '.git/config', message: 'fatal: bad config line ', hint: ' status' },
    { what: 'that is elsewhere', env: { GIT_DIR: '/none' }, message: 'fatal: not a git repository: ', hint: ' status' },
  ])(
    'refuses a repository $what with 64, at the change as at the order of commits',
    async ({ message, hint, ...given }) => {
      await git('init', '--quiet');
      await commit('app/main.ts');
      if (given.write !== undefined) await write(given.write, '[');
      const app = join(root, 'app');
      const before = { ...process.env };
      Object.assign(process.env, given.env);
      try {
        const refused = {
          code: 'USAGE',
          message: expect.stringContaining(message),
          hint: expect.stringContaining(hint),
        };
        await expect(change(app)).rejects.toMatchObject(refused);
        await expect(requireHistory(app, AbortSignal.timeout(10_000))).rejects.toMatchObject(refused);
      } finally {
        for (const name of Object.keys(given.env ?? {})) delete process.env[name];
        Object.assign(process.env, before);
      }
    },
  );

  test('needs no git outside of a repository', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = '/none';
    try {
      expect(await change()).toMatchObject({ commit: undefined, dirty: true });
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  test('lets go when it is told to', async () => {
    await expect(local(root).change(AbortSignal.abort())).rejects.toMatchObject({ code: 'STEP_FAILED' });
  });
});

describe('requireHistory()', () => {
  test('refuses a shallow clone with 64, and takes a whole one and a folder without git', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headgate-shallow-'));
    const git = (...args: string[]) => gitIn(folder, ...args);
    try {
      await mkdir(join(folder, 'origin'));
      await git('init', '--quiet', 'origin');
      for (const n of ['one', 'two']) await git('-C', 'origin', 'commit', '--quiet', '--allow-empty', `--message=${n}`);
      await git('clone', '--quiet', '--depth=1', `file://${folder}/origin`, 'shallow');
      const signal = AbortSignal.timeout(10_000);

      const shallow = requireHistory(join(folder, 'shallow'), signal);

      await expect(shallow).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('fetch-depth: 0') });
      await expect(requireHistory(join(folder, 'origin'), signal)).resolves.toBeUndefined();
      await expect(requireHistory(folder, signal)).resolves.toBeUndefined();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test('readAncestry() tells how a commit stands to the live one, and what it has beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-ancestry-'));
  const git = (...args: string[]) => gitIn(folder, ...args);
  const signal = AbortSignal.timeout(10_000);
  try {
    await git('init', '--quiet');
    const commits: string[] = [];
    for (const n of ['one', 'two', 'three']) {
      await git('commit', '--quiet', '--allow-empty', `--message=${n}`);
      commits.push(await git('rev-parse', 'HEAD'));
    }
    const [one, two, three] = commits;
    const elsewhere = 'e'.repeat(40);

    expect(await readAncestry(folder, { commit: three, live: one }, signal)).toEqual({
      live: one,
      stands: 'descends',
      ahead: [three, two],
    });
    expect(await readAncestry(folder, { commit: two, live: undefined }, signal)).toMatchObject({ ahead: [two, one] });
    expect(await readAncestry(folder, { commit: one, live: two }, signal)).toMatchObject({ stands: 'older' });
    expect(await readAncestry(folder, { commit: three, live: elsewhere }, signal)).toMatchObject({ stands: 'older' });
    expect(await readAncestry(folder, { commit: undefined, live: one }, signal)).toBe('unknown');
    const times = await readCommitTimes(folder, [String(one), elsewhere], signal);
    expect([...times].map(([commit, at]) => [commit, Math.abs(at - Date.now()) < 60_000])).toEqual([[one, true]]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
