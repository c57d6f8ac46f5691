import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import { describeCommitStatus } from './commit-status.contract.ts';
import { repositoryOn } from './commit-status.ts';
import { openPlainGuard } from './guard.ts';
import { openHost } from './jenkins.ts';

const signal = AbortSignal.timeout(20_000);
const status = { commit: 'a'.repeat(40), context: 'x', state: 'success', text: 'done' } as const;

function aHost(root: string, env: Record<string, string>) {
  return openHost({ root, env, write: () => {}, guard: openPlainGuard(() => {}), isTerminal: false });
}

async function cloneOf(root: string, address: string): Promise<void> {
  await promisify(execFile)('git', ['-C', root, 'init', '--quiet']);
  await promisify(execFile)('git', ['-C', root, 'remote', 'add', 'origin', address]);
}

describeCommitStatus('jenkins', {
  right: 'HEADGATE_GITHUB_TOKEN',
  page: 'https://jenkins.example/job/ratings/7/',
  open: async (root, api, token) => {
    await cloneOf(root, 'git@127.0.0.1:kim/ratings.git');
    return aHost(root, {
      ...(token && { HEADGATE_GITHUB_TOKEN: token }),
      GITHUB_API_URL: `${api}/`,
      BUILD_URL: 'https://jenkins.example/job/ratings/7/',
    });
  },
});

describe('a jenkins host', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-jenkins-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  /** Where the status of a commit was written. */
  async function markedAt(env: Record<string, string>): Promise<readonly string[]> {
    await using api = await anEar(201);
    const host = aHost(root, { HEADGATE_GITHUB_TOKEN: 'token-of-the-job', GITHUB_API_URL: api.url, ...env });
    await host.mark(status, signal);
    return api.heard.map(({ path }) => path);
  }

  test('mark() goes by the address that Jenkins tells before that of the clone', async () => {
    await cloneOf(root, 'https://127.0.0.1/kim/mirror.git');

    expect(await markedAt({ GIT_URL: 'https://127.0.0.1/kim/ratings.git' })).toEqual([
      `/repos/kim/ratings/statuses/${status.commit}`,
    ]);
  });

  test('mark() of a clone of another server, or of none, gives the token to nobody', async () => {
    expect(await markedAt({})).toEqual([]);
    await cloneOf(root, 'https://gitlab.example/kim/ratings.git');
    expect(await markedAt({})).toEqual([]);
  });
});

describe('repositoryOn()', () => {
  const enterprise = 'https://github.example/api/v3';
  const residency = 'https://api.kim.ghe.com';
  const github = 'https://api.github.com';

  test.each([
    { api: github, address: 'https://github.com/kim/ratings.git' },
    { api: github, address: 'https://kim:t0ken@github.com/kim/ratings' },
    { api: github, address: 'https://GitHub.com/kim/ratings/' },
    { api: github, address: 'git@github.com:kim/ratings.git' },
    { api: github, address: 'github.com:/kim/ratings.git' },
    { api: github, address: 'ssh://git@github.com/kim/ratings.git' },
    { api: github, address: 'ssh://git@ssh.github.com:443/kim/ratings.git' },
    { api: enterprise, address: 'https://github.example:8443/kim/ratings.git' },
    { api: enterprise, address: 'git@github.example:kim/ratings.git' },
    { api: residency, address: 'https://kim.ghe.com/kim/ratings.git' },
  ])('$address is kim/ratings on $api', ({ api, address }) => {
    expect(repositoryOn(api, address)).toBe('kim/ratings');
  });

  test.each([
    { api: github, address: 'https://github.example/kim/ratings.git' },
    { api: enterprise, address: 'https://github.com/kim/ratings.git' },
    { api: github, address: 'https://github.com.evil.example/kim/ratings.git' },
    { api: github, address: 'https://github.com@evil.example/kim/ratings.git' },
    { api: github, address: 'https://github.com/ratings.git' },
    { api: github, address: 'https://github.com/team/kim/ratings.git' },
    { api: github, address: '/srv/git/kim/ratings.git' },
    { api: github, address: '../kim/ratings' },
    { api: 'api.github.com', address: 'https://github.com/kim/ratings.git' },
  ])('$address is none on $api', ({ api, address }) => {
    expect(repositoryOn(api, address)).toBeUndefined();
  });
});
