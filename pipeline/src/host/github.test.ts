import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import { openHost } from './github.ts';
import { openPlainGuard } from './guard.ts';

const signal = AbortSignal.timeout(20_000);
const commit = 'a'.repeat(40);

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

  test('mark() writes a status at the commit, its text cut to what GitHub takes', async () => {
    await using api = await anEar(201);
    const env = {
      GITHUB_TOKEN: 'token-of-the-job',
      GITHUB_REPOSITORY: 'kim/ratings',
      GITHUB_API_URL: api.url,
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_RUN_ID: '12',
    };

    const marked = await aHost(root, env).mark(
      { commit, context: 'headgate/prod', state: 'failure', text: 'rolled back '.repeat(20) },
      signal,
    );

    expect(marked).toBe('marked');
    expect(api.heard).toMatchObject([
      { path: `/repos/kim/ratings/statuses/${commit}`, headers: { authorization: 'Bearer token-of-the-job' } },
    ]);
    const { description, ...rest } = JSON.parse(api.heard[0]?.body ?? '');
    expect(description).toHaveLength(140);
    expect(rest).toEqual({
      state: 'failure',
      context: 'headgate/prod',
      target_url: 'https://github.example/kim/ratings/actions/runs/12',
    });
  });

  test('mark() without the right to is an error that names the right', async () => {
    await using api = await anEar(403);
    const env = { GITHUB_TOKEN: 'token-of-the-job', GITHUB_REPOSITORY: 'kim/ratings', GITHUB_API_URL: api.url };

    const marking = aHost(root, env).mark({ commit, context: 'x', state: 'success', text: 'done' }, signal);

    await expect(marking).rejects.toMatchObject({
      code: 'STEP_FAILED',
      hint: expect.stringContaining('statuses: write'),
    });
  });

  test('mark() without a token says that it cannot', async () => {
    expect(await aHost(root, {}).mark({ commit, context: 'x', state: 'success', text: 'done' }, signal)).toBe(
      'unsupported',
    );
  });
});
