import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { edit } from '../demo/versions.ts';
import { aLiveApp, recapOf } from './ansible.rig.ts';

let app: Awaited<ReturnType<typeof aLiveApp>>;

/** All of the folder; its commit. */
async function commit(): Promise<string> {
  const git = (...args: readonly string[]) => promisify(execFile)('git', ['-C', app.cwd, ...args]);
  await git('add', '--all', 'headgate.yaml', 'services');
  await git('-c', 'user.name=kim', '-c', 'user.email=kim@desk', 'commit', '--quiet', '-m', 'a merge');
  return (await git('rev-parse', 'HEAD')).stdout.trim();
}

const manifests = 'services/proxy/deploy/base';
const deliver = (...args: readonly string[]) => app.headgate('run', 'deliver', '--skip-check', ...args);

beforeAll(async () => {
  app = await aLiveApp();
  const file = join(app.cwd, 'headgate.yaml');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^release: .*$/m, 'release: { strategy: rolling }'));
  await promisify(execFile)('git', ['-C', app.cwd, 'init', '--quiet']);
}, 400_000);
afterAll(async () => {
  await app?.[Symbol.asyncDispose]();
});

describe('headgate run deliver with strategy: rolling', () => {
  test('rolls what a merge brought into the live lane; a second time it looks and does nothing', async () => {
    const image = await app.publish('good evening');
    const merged = await commit();
    const before = await app.state();
    await using users = await app.startUsers();

    const first = await deliver();
    const recap = recapOf(await readFile(join(app.cwd, 'out/logs/release.log'), 'utf8'));
    const after = await app.state();
    const planned = await deliver('--plan');
    const again = await deliver();

    expect([first.code, recap]).toEqual([0, expect.objectContaining({ changed: 1, failed: 0 })]);
    expect([after.image, after.replicas, users.failed]).toEqual([image, before.replicas, []]);
    expect(await app.head()).toMatchObject({
      live: 'blue',
      lanes: { blue: { commit: merged } },
      history: [{ id: 1 }, { id: 2, strategy: 'rolling', outcome: 'promoted', commit: merged }],
    });
    expect((await app.headgate('status')).out).toMatch(/last +rolling update 2 \(\w{8}\) was carried out after/);
    expect(planned.out).toMatch(/^= release +nothing to do$/m);
    expect([again.code, again.out]).toEqual([
      0,
      expect.stringMatching(/^✓ release +nothing to do: finished by \S+ at \S+$/m),
    ]);
    expect(await app.state()).toEqual(after);
  }, 240_000);

  test('brings live back from what does not come up, says why, and exits 13 then and 11 ever after', async () => {
    const before = await app.state();
    await edit(app.cwd, {
      file: `${manifests}/deployment.yaml`,
      find: 'envFrom: [',
      replace: 'envFrom: [{ secretRef: { name: nobody-has-it } }, ',
    });
    await commit();

    const planned = await deliver('--plan');
    const bad = await deliver();
    const [why, status] = [await app.headgate('why'), await app.headgate('status')];
    const again = await deliver();

    expect(planned.out).toMatch(/release .*roll \w{8} into lane blue in place of \w{8}/);
    expect([bad.code, bad.out]).toEqual([
      13,
      expect.stringContaining('Rolling update 3 was rolled back, live serves what it had: '),
    ]);
    expect((await app.headgate('wait', '--release', '3')).code).toBe(13);
    expect((await app.state()).template).toEqual(before.template);
    expect(await readFile(join(app.cwd, 'out/roll/report.txt'), 'utf8')).toContain('secret "nobody-has-it" not found');
    expect(why.out).toMatch(/^rolling update 3 \(\w{8}\) was rolled back after .*\ncommit \w{7}, by /);
    expect([status.code, status.out]).toEqual([5, expect.stringContaining('rolling update 3')]);
    expect([again.code, again.out]).toEqual([11, expect.stringContaining('release 3 rolled it back')]);
  }, 240_000);

  test('refuses a commit that does not descend from the live one', async () => {
    await promisify(execFile)('git', ['-C', app.cwd, 'checkout', '--quiet', '--orphan', 'elsewhere']);
    await edit(app.cwd, { file: `${manifests}/kustomization.yaml`, find: '=5000', replace: '=4000' });
    await commit();
    const before = await app.state();

    const { code, out } = await deliver();

    expect([code, out]).toEqual([12, expect.stringContaining('does not descend from the live one')]);
    const { journal, ...same } = await app.state();
    expect({ ...same, journal: before.journal }).toEqual(before); // Its number of the driver has risen.
  }, 120_000);
});
