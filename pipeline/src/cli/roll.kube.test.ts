import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aLiveApp, recapOf, until } from './ansible.rig.ts';

let app: Awaited<ReturnType<typeof aLiveApp>>;

beforeAll(async () => {
  app = await aLiveApp();
}, 400_000);
afterAll(async () => {
  await app?.[Symbol.asyncDispose]();
});

describe('headgate roll', () => {
  test('--check says what would be changed, and changes nothing', async () => {
    const before = await app.state();

    const { code, out } = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a fix', '--check');

    expect([code, recapOf(out)]).toEqual([0, expect.objectContaining({ changed: 1, failed: 0 })]);
    expect(out).toMatch(new RegExp(`^ +- +image: ${app.image.first}$`, 'm'));
    expect(out).toMatch(new RegExp(`^ +\\+ +image: ${app.image.second}$`, 'm'));
    expect(await app.state()).toEqual(before);
  }, 120_000);

  test('shows no secret of a service, neither the one that it has nor the one that it would get', async () => {
    const file = join(app.cwd, 'headgate.yaml');
    const before = await readFile(file, 'utf8');
    await writeFile(file, before.replace('horse & battery', 'zebra & "staple"'));

    const { code, out } = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a fix', '--check');

    await writeFile(file, before);
    expect(code).toBe(0);
    expect(out).toMatch(/name: DB_PASSWORD\n +-.*value: \S*\*\*\*\S*\n( +-.*\n)* +\+.*value: \S*\*\*\*/);
    expect(out).not.toMatch(/horse|zebra/);
  }, 120_000);

  test('replaces instance by instance what live holds: every request is answered, and the autoscaler stays as it is', async () => {
    const base = join(app.cwd, 'services/proxy/deploy/base/kustomization.yaml');
    await writeFile(base, (await readFile(base, 'utf8')).replace('=5000', '=4000'));
    const before = await app.state();
    await using users = await app.startUsers();

    const { code, out, err } = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a fix');

    const after = await app.state();
    expect([code, err.replace(/^signatures.*\n/, ''), recapOf(out)]).toEqual([
      0,
      '',
      expect.objectContaining({ changed: 2, failed: 0 }), // A ConfigMap and a Deployment.
    ]);
    expect(after.image).toBe(app.image.second);
    expect(after.pods).not.toEqual(before.pods);
    expect([after.replicas, after.bounds]).toEqual([before.replicas, before.bounds]);
    expect(after.configMaps).toHaveLength(1);
    expect(after.configMaps).not.toEqual(before.configMaps);
    expect([users.failed, users.answered > 50]).toEqual([[], true]);
    expect((await app.headgate('history')).out).toMatch(
      /2 .* promoted .* by .*: every instance of the live lane has it/,
    );
  }, 120_000);

  test('a second time changes nothing', async () => {
    const before = await app.state();

    const { code, out } = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a fix');

    expect([code, recapOf(out)]).toEqual([0, expect.objectContaining({ changed: 0, failed: 0 })]);
    const { journal, ...same } = await app.state();
    expect({ ...same, journal: before.journal }).toEqual(before); // Its number of the driver has risen.
    expect(journal).not.toBe(before.journal);
  }, 120_000);

  test('refuses an image that its registry does not have, before anything is changed', async () => {
    const before = await app.state();

    const { code, err } = await app.headgate('roll', `proxy=${app.image.missing}`, '--reason', 'a slip');

    expect([code, err]).toEqual([12, expect.stringContaining('must have it: current value is "404"')]);
    expect(await app.state()).toEqual(before);
  }, 60_000);

  test('warns once bootstrap is due, as it changes nothing of what stands for ever', async () => {
    const file = join(app.cwd, 'services/proxy/deploy/base/autoscaler.yaml');
    const written = await readFile(file, 'utf8');
    await writeFile(file, written.replace('averageUtilization: 70', 'averageUtilization: 60'));

    const { err } = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a slip', '--check');

    await writeFile(file, written);
    expect(err).toContain(
      '`headgate bootstrap` is due: no release changes what is not as the manifests say: Horizontal',
    );
  }, 60_000);

  test('brings live back from an image that no node can pull, tells why, and ends red', async () => {
    const before = await app.state();
    await using users = await app.startUsers();

    const { code, out } = await app.headgate('roll', `proxy=${app.image.unreachable}`, '--reason', 'a bad one');

    const after = await app.state();
    expect([code, recapOf(out)]).toEqual([13, expect.objectContaining({ failed: 1, rescued: 1 })]);
    expect(out).toContain('  failed: Lane blue is as it was before');
    expect(out).not.toMatch(/ansible_facts|managedFields|"apiVersion"/); // An object that a task had in hand.
    expect(out).toMatch(/^release 3 was rolled back, live serves what it had: /m);
    expect([after.template, after.pods, after.configMaps]).toEqual([before.template, before.pods, before.configMaps]);
    expect(users.failed).toEqual([]);
    // The logs of pods, which say the password.
    const report = await readFile(join(app.cwd, 'out/roll/report.txt'), 'utf8');
    expect(report).toMatch(/Failed to pull image[\s\S]*the password is \*\*\*/);
    const names = await readdir(join(app.cwd, 'out/junit'));
    const told = await Promise.all(names.map((name) => readFile(join(app.cwd, 'out/junit', name), 'utf8')));
    for (const text of [out, report, ...told]) expect(text).not.toContain('horse');
    expect(out).toContain(`${join(app.cwd, 'out/roll')} has events and logs`);
    expect(told.filter((report) => report.includes('Lane blue is as it was before'))).toHaveLength(1);
    expect(await app.headgate('roll', `proxy=${app.image.unreachable}`, '--reason', 'again')).toMatchObject({
      code: 11,
    });
  }, 120_000);

  test('killed in the midst of it, `rollback` brings live back', async () => {
    const before = await app.state();
    const running = app.start('roll', `proxy=${app.image.unreachable}`, '--reason', 'killed', '--insist');
    await until(async () => (await app.state()).image === app.image.unreachable);
    running.child.kill('SIGKILL');
    await running.ended;

    const release = await app.headgate('release', `proxy=${app.image.first}`, '--reason', 'meanwhile');
    const back = await app.headgate('rollback', '--reason', 'its driver is gone');

    expect(release).toMatchObject({ code: 12, err: expect.stringContaining('`headgate rollback` goes back') });
    expect(back).toMatchObject({ code: 0, out: expect.stringContaining('was rolled back') });
    expect((await app.state()).template).toEqual(before.template);
  }, 120_000);

  test('--check that the API server refuses names what failed, and goes no way back from what it has not done', async () => {
    const before = await app.state();
    const patch = [{ op: 'test', path: '/spec/replicas', value: 77 }];
    const proxy = { deployment: 'ratings-blue-proxy', image: app.image.second, configMaps: [], patch, back: [] };
    const plan = { app: 'ratings', namespace: app.namespace, lane: 'blue', holder: 'nobody', services: { proxy } };

    const { code, out, recap } = await app.play('deploy.yml', { service_deploy_plan: plan }, '--check');

    expect([code, recap]).toEqual([2, expect.objectContaining({ changed: 0, failed: 1 })]);
    expect(out).toContain('as this failed: Set the new pods. Its words are above. Nothing was changed');
    expect(out).not.toContain('Bring the former pods back');
    expect(await app.state()).toEqual(before);
  }, 120_000);

  test('its playbook does nothing without the lock', async () => {
    const before = await app.state();
    const { code, out } = await app.play('deploy.yml', {});

    expect(code).toBe(2);
    expect(out).toContain('This playbook is run by `headgate roll`');
    expect(await app.state()).toEqual(before);
  }, 120_000);
});
