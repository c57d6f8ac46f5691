import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { edit } from '../demo/versions.ts';
import { git } from '../host/git.rig.ts';
import { aLiveApp, recapOf, until } from './ansible.rig.ts';

let app: Awaited<ReturnType<typeof aLiveApp>>;

/** All of the folder; its commit. */
async function commit(): Promise<string> {
  await git(app.cwd, 'add', '--all', 'headgate.yaml', 'services');
  await git(app.cwd, 'commit', '--quiet', '-m', 'a merge');
  return git(app.cwd, 'rev-parse', 'HEAD');
}

const manifests = 'services/proxy/deploy/base';
const deliver = (...args: readonly string[]) => app.headgate('run', 'deliver', '--skip-check', ...args);

/** The cluster takes no Deployment of the namespace away from a template that needs this secret. */
function noWayBack(secret: string) {
  const name = `no-way-back-${app.namespace}`;
  const needsIt = `oldObject.spec.template.spec.containers.exists(c, has(c.envFrom) && c.envFrom.exists(e, has(e.secretRef) && e.secretRef.name == '${secret}'))`;
  const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments'] };
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': app.namespace } };
  const spec = {
    matchConstraints: { resourceRules: [rule], namespaceSelector },
    validations: [{ expression: `oldObject.spec.template == object.spec.template || !${needsIt}` }],
  };
  const of = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
  const items = [
    { ...of, kind: 'ValidatingAdmissionPolicy', spec },
    { ...of, kind: 'ValidatingAdmissionPolicyBinding', spec: { policyName: name, validationActions: ['Deny'] } },
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}

/** It is the whole cluster's, so it must not outlive the test, however that ends. The API server heeds for a moment what is deleted already. */
async function barWayBack(secret: string) {
  const kubectl = (verb: string) => app.kubectl([verb, '-f', '-'], JSON.stringify(noWayBack(secret)));
  const change = JSON.stringify({ spec: { template: { metadata: { annotations: { tried: 'once' } } } } });
  const tried = ['patch', 'deployment/ratings-blue-proxy', '--dry-run=server', '--patch', change];
  const isFree = () =>
    app.kubectl(tried).then(
      () => true,
      () => false,
    );
  await kubectl('apply');
  return {
    async lift() {
      await kubectl('delete');
      await until(isFree);
    },
  };
}

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

  test('exits 14 when live cannot be brought back either; `headgate rollback` does it once that is possible', async () => {
    const before = await app.state();
    await edit(app.cwd, { file: `${manifests}/deployment.yaml`, find: 'nobody-has-it', replace: 'nobody-has-that' });
    await commit();
    const barrier = await barWayBack('nobody-has-that');

    const stuck = await deliver().finally(barrier.lift);
    const status = await app.headgate('status');
    const back = await app.headgate('rollback', '--reason', 'it can be brought back again');

    expect([stuck.code, stuck.out + stuck.err]).toEqual([14, expect.stringContaining('page somebody')]);
    expect(status.out).toContain('rolling update 4');
    expect([back.code, back.out + back.err]).toEqual([0, expect.anything()]);
    expect((await app.state()).template).toEqual(before.template);
    expect((await app.head()).history.at(-1)).toMatchObject({ id: 4, outcome: 'rolledBack' });
  }, 300_000);

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
