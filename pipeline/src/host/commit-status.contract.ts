import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import type { CiHost } from './host.ts';

const signal = AbortSignal.timeout(20_000);
const commit = 'a'.repeat(40);
const token = 'token-of-the-job';

export type MarkingHost = {
  /** Words of the hint for who has not the right to. */
  readonly right: string;
  readonly page: string;
  /** Of the repository `kim/ratings`, in an empty repository of git, on a server of GitHub with this API. `token` `undefined`: without one. */
  readonly open: (root: string, api: string, token: string | undefined) => Promise<CiHost>;
};

/** What every host does for a commit that lies on GitHub, so that its page tells the same wherever it is built. */
export function describeCommitStatus(name: string, { right, page, open }: MarkingHost): void {
  describe(`${name} at a commit on GitHub`, () => {
    let root: string;
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'headgate-status-'));
      await promisify(execFile)('git', ['-C', root, 'init', '--quiet']);
    });
    afterEach(() => rm(root, { recursive: true, force: true }));

    test('mark() writes a status that leads to its page, the text cut to what GitHub takes', async () => {
      await using api = await anEar(201);
      const host = await open(root, api.url, token);

      const text = 'rolled back '.repeat(20);
      const marked = await host.mark({ commit, context: 'headgate/prod', state: 'failure', text }, signal);

      expect(marked).toBe('marked');
      expect(api.heard).toMatchObject([
        { path: `/repos/kim/ratings/statuses/${commit}`, headers: { authorization: `Bearer ${token}` } },
      ]);
      const { description, ...rest } = JSON.parse(api.heard[0]?.body ?? '');
      expect(description).toHaveLength(140);
      expect(rest).toEqual({ state: 'failure', context: 'headgate/prod', target_url: page });
    });

    test('mark() without the right to is an error that names the right, and not the token', async () => {
      await using api = await anEar(403);
      const host = await open(root, api.url, token);

      const marking = host.mark({ commit, context: 'x', state: 'success', text: 'done' }, signal);

      await expect(marking).rejects.toMatchObject({
        code: 'STEP_FAILED',
        message: expect.not.stringContaining(token),
        hint: expect.stringContaining(right),
      });
    });

    test('mark() without a token says that it cannot, and asks nobody', async () => {
      await using api = await anEar(201);
      const host = await open(root, api.url, undefined);

      expect(await host.mark({ commit, context: 'x', state: 'success', text: 'done' }, signal)).toBe('unsupported');
      expect(api.heard).toEqual([]);
    });
  });
}
