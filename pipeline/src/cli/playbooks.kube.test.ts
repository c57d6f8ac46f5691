import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startNats } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { connect } from 'nats';
import { unless } from '../../ci/provide.rig.ts';
import { aLiveApp, anAnsibleShell, until } from './ansible.rig.ts';
import { kubeCache, readCluster, repository } from './cluster.rig.ts';

const withQueue = (nats: string) => (namespace: string) =>
  `app: ratings
services:
  proxy: { source: services/proxy, port: 8080 }
  rating: { source: services/rating, pulls: [get.ratings] }
queue: { jetstream: '${nats}' }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
`;

describe('bootstrap.yml', () => {
  test('--check tells what is missing, then it is made, and a second time changes nothing', async () => {
    await using nats = await startNats();
    await using app = await anAnsibleShell(withQueue(nats.url));
    const play = (...args: string[]) => app.play('bootstrap.yml', { headgate_entrance: app.entrance }, ...args);
    const there = async () => (await app.kubectl(['get', 'deployments,httproutes', '-o', 'name'])).trim().split('\n');

    const checked = await play('--check');
    const before = await there();
    const made = await play();
    const again = await play();
    const checkedAgain = await play('--check');

    expect([checked.code, checked.recap]).toEqual([0, expect.objectContaining({ changed: 2, failed: 0 })]);
    for (const name of ['made Deployment ratings-blue-proxy', 'made HTTPRoute', 'made stream ratings-green'])
      expect([checked.out, made.out]).toEqual([expect.stringContaining(name), expect.stringContaining(name)]);
    expect(before).toEqual(['']);
    expect([made.code, made.recap]).toEqual([0, expect.objectContaining({ changed: 2, failed: 0 })]);
    expect(await there()).toHaveLength(5);
    expect([again.code, again.recap['changed'], checkedAgain.recap['changed']]).toEqual([0, 0, 0]);
  }, 180_000);

  test('refuses what would take something away, also with --check', async () => {
    await using nats = await startNats();
    await using app = await anAnsibleShell(withQueue(nats.url));
    const play = (...args: string[]) => app.play('bootstrap.yml', { headgate_entrance: app.entrance }, ...args);
    await play();
    const connection = await connect({ servers: nats.url });
    const manager = await connection.jetstreamManager();
    const { config } = await manager.streams.info('ratings-blue');
    await manager.streams.update('ratings-blue', { ...config, max_msgs: 7 });

    const [checked, run] = [await play('--check'), await play()];

    const { max_msgs } = (await manager.streams.info('ratings-blue')).config;
    await connection.close();
    for (const { code, out } of [checked, run])
      expect([code, out]).toEqual([2, expect.stringContaining('max_msgs must be')]);
    expect(max_msgs).toBe(7);
  }, 180_000);
});

describe('switch.yml and rollback.yml', () => {
  let app: Awaited<ReturnType<typeof aLiveApp>>;

  beforeAll(async () => {
    app = await aLiveApp();
  }, 400_000);
  afterAll(async () => {
    await app?.[Symbol.asyncDispose]();
  });

  test('take back a rolling update: the version before comes by the other lane', async () => {
    const rolled = await app.headgate('roll', `proxy=${app.image.second}`, '--reason', 'a fix');
    expect([rolled.code, rolled.err]).toEqual([0, expect.not.stringContaining('Cannot')]);
    const back = (...args: string[]) => app.play('rollback.yml', { rollback_release: 2 }, ...args);

    const checked = await back('--check');
    const between = await app.head();
    const done = await back();
    const again = await back();

    const { live, lanes } = await app.head();
    expect([checked.recap['changed'], between.live]).toEqual([1, 'blue']);
    expect([done.code, done.recap['changed'], live]).toEqual([0, 1, 'green']);
    expect(app.image.first).toContain(lanes.green?.digests['proxy']);
    expect([again.code, again.recap['changed']]).toEqual([0, 0]);
  }, 240_000);

  test('promote the release that is named, take it back, and change nothing a second time', async () => {
    const release = app.start('release', `proxy=${app.image.second}`, '--reason', 'again', '--insist');
    await until(async () => (await app.head()).release?.state.phase.kind === 'holding');
    const id = (await app.head()).release?.id ?? 0;
    const switched = (...args: string[]) => app.play('switch.yml', { switch_release: id }, ...args);
    const back = (...args: string[]) => app.play('rollback.yml', { rollback_release: id }, ...args);

    const other = await app.play('switch.yml', { switch_release: id + 1 });
    const checked = await switched('--check');
    const between = await app.head();
    const done = await switched();
    await until(async () => (await app.head()).live === between.release?.candidate);
    const again = await switched();
    const taken = await back();
    await release.ended;
    const takenAgain = await back();

    expect([other.code, other.out]).toEqual([2, expect.stringContaining('is not the current one')]);
    expect([checked.recap['changed'], between.release?.state.phase.kind]).toEqual([1, 'holding']);
    expect([done.code, done.recap['changed']]).toEqual([0, 1]);
    expect([again.code, again.recap['changed']]).toEqual([0, 0]);
    expect([taken.code, taken.recap['changed'], (await app.head()).live]).toEqual([0, 1, between.live]);
    expect([takenAgain.code, takenAgain.recap['changed']]).toEqual([0, 0]);
  }, 240_000);
});

const role = join(repository, 'ansible/roles/observability');

describe('observability.yml', () => {
  test('gives Grafana one dashboard, says so before, and changes nothing a second time', async () => {
    await using app = await anAnsibleShell(withQueue('nats://nats:4222'));
    const variables = { ...observing(app.namespace), observability_has_operator: false };
    const play = (...args: string[]) => app.play('observability.yml', variables, ...args);
    const boards = async () =>
      JSON.parse(await app.kubectl(['get', 'configmaps', '-l', 'grafana_dashboard=1', '-o', 'json'])).items;

    const { outcomes, before } = await checkedAndPlayedTwice(play, boards);

    expect(outcomes).toEqual([
      [0, 1],
      [0, 1],
      [0, 0],
    ]);
    expect(before).toEqual([]);
    const [{ data }] = await boards();
    expect(JSON.parse(data['headgate.json'])).toMatchObject({ uid: 'headgate', title: 'Headgate' });
  }, 120_000);
});

// Whoever lent a cluster may have an operator of their own there, which would lose its definitions.
const isLent = readCluster().mode !== 'full';
const ofOurs = unless(isLent ? 'the definitions of this cluster may be of use to somebody' : undefined, describe);

ofOurs('observability.yml, where the definitions of the Prometheus operator are', () => {
  const definitions = ['--filename', join(kubeCache, 'operator-crds')];
  let app: Awaited<ReturnType<typeof anAnsibleShell>>;

  beforeAll(async () => {
    app = await anAnsibleShell(withQueue('nats://nats:4222'));
    await app.everywhere(['apply', '--server-side', ...definitions]);
    // It fails at once where there is no condition yet.
    const waiting = ['wait', '--for=condition=Established', '--timeout=1s', ...definitions];
    const isThere = () =>
      app.everywhere(waiting).then(
        () => true,
        () => false,
      );
    await until(isThere);
  }, 120_000);
  afterAll(async () => {
    await app?.everywhere(['delete', '--ignore-not-found', ...definitions]);
    await app?.[Symbol.asyncDispose]();
  }, 120_000);

  test('gives it only what they know: the server would drop the rest and say nothing', async () => {
    const objects = await app.render(role, 'operator.yml.j2', observing(app.namespace));

    const said = await app.kubectl(['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], objects);

    expect(said.trim().split('\n')).toHaveLength(4);
  }, 60_000);

  test('says what it would make, makes it, and changes nothing a second time', async () => {
    const play = (...args: string[]) => app.play('observability.yml', observing(app.namespace), '--diff', ...args);
    const kinds = 'podmonitors,prometheusrules,alertmanagerconfigs';
    const objects = async (): Promise<readonly Made[]> =>
      JSON.parse(await app.kubectl(['get', kinds, '--output', 'json'])).items;

    const { outcomes, before, checked, made } = await checkedAndPlayedTwice(play, objects);

    expect(outcomes).toEqual([
      [0, 2],
      [0, 2],
      [0, 0],
    ]);
    expect(before).toEqual([]);
    const found = await objects();
    const names = found.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    expect(names).toEqual([
      'PodMonitor headgate-controller',
      'PodMonitor headgate-ratings',
      'PrometheusRule headgate',
      'AlertmanagerConfig headgate',
    ]);
    for (const name of names) expect([checked.out, made.out]).toEqual([containing(name), containing(name)]);
    expect(found[2]?.spec).toEqual(load(await readFile(join(role, 'files/rules.yml'), 'utf8')));
    expect(found[3]?.spec).toMatchObject({
      receivers: [{ pagerdutyConfigs: [{ description: '{{ .CommonAnnotations.summary }}' }] }],
    });

    await app.kubectl(['patch', 'prometheusrule', 'headgate', '--type=merge', '--patch', '{"spec":{"groups":[]}}']);
    const differing = await play('--check');

    expect([differing.code, differing.recap['changed']]).toEqual([0, 1]);
    expect(differing.out).toMatch(/^\+.*alert: HeadgateRolledBack$/m);
    expect((await objects())[2]?.spec).toEqual({ groups: [] });
  }, 400_000);
});

type Play = (...args: string[]) => ReturnType<Awaited<ReturnType<typeof anAnsibleShell>>['play']>;

/** `before`: what `look` saw between the check and the first play. Outcomes are exit code and count of changes of all three, in order. */
async function checkedAndPlayedTwice<T>(play: Play, look: () => Promise<T>) {
  const checked = await play('--check');
  const before = await look();
  const [made, again] = [await play(), await play()];
  const outcomes = [checked, made, again].map(({ code, recap }) => [code, recap['changed']]);
  return { checked, before, made, outcomes };
}

type Made = { readonly kind: string; readonly metadata: { readonly name: string }; readonly spec: object };

const containing = (words: string) => expect.stringContaining(words);

function observing(namespace: string): object {
  return { observability_app: 'ratings', observability_namespace: namespace };
}
