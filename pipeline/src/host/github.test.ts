import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeCommitStatus } from './commit-status.contract.ts';
import { openHost } from './github.ts';
import { openPlainGuard } from './guard.ts';

const signal = AbortSignal.timeout(20_000);

function aHost(root: string, env: Record<string, string>) {
  return openHost({ root, env, write: () => {}, guard: openPlainGuard(() => {}), isTerminal: false });
}

describe('a github host', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-github-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  test('the branch of a pull request comes from the event', async () => {
    const event = join(root, 'event.json');
    await writeFile(event, JSON.stringify({ pull_request: { head: { ref: 'fix-lag' } } }));

    const change = await aHost(root, { GITHUB_EVENT_PATH: event, GITHUB_REF_NAME: '7/merge' }).change(signal);

    expect(change.branch).toBe('fix-lag');
  });

  test('a damaged event leaves the branch to the variables', async () => {
    const event = join(root, 'event.json');
    await writeFile(event, '{');

    expect((await aHost(root, { GITHUB_EVENT_PATH: event, GITHUB_REF_NAME: 'main' }).change(signal)).branch).toBe(
      'main',
    );
  });
});

describeCommitStatus('github', {
  right: 'statuses: write',
  page: 'https://github.example/kim/ratings/actions/runs/12',
  open: async (root, api, token) =>
    aHost(root, {
      ...(token && { GITHUB_TOKEN: token }),
      GITHUB_REPOSITORY: 'kim/ratings',
      GITHUB_API_URL: api,
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_RUN_ID: '12',
    }),
});
