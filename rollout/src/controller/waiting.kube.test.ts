import { expect, test } from '@jest/globals';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { openApp, outcomesOf, versionOf } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;
const plan = '  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n';

withPods(
  'while a release runs the newest of those that wait is the next, and the one in its place ends as superseded',
  async () => {
    await using app = await openApp(plan);
    const { hands } = app;
    await using _ = await controllerOf(app.namespace);
    await startRelease(hands, await app.version('v1'));
    const second = startRelease(hands, await app.version('v2'));
    const release = await app.isHolding('v2');

    const third = startRelease(hands, await app.version('v3'));
    await app.isWaiting('v3');
    const fourth = startRelease(hands, await app.version('v4'));

    expect(await third).toMatchObject({ kind: 'superseded' });
    expect((await app.head()).release).toMatchObject({ id: release, state: { phase: { kind: 'holding' } } });
    await act(hands, 'promote', { release, reason: 'good' });
    expect(await second).toMatchObject({ kind: 'ended', release });
    await act(hands, 'promote', { release: await app.isHolding('v4'), reason: 'good' });
    await fourth;
    const head = await app.head();
    expect(outcomesOf(head)).toEqual(['1 promoted', '2 promoted', '3 promoted']);
    expect(versionOf(head.release?.revision)).toBe('v4');
    expect(app.failed).toEqual([]);
  },
  240_000,
);

withPods.each([
  { what: 'a hotfix', hotfix: true, policy: '' },
  { what: 'a new version, where those are to supersede', hotfix: false, policy: '  onNewCommit: supersede\n' },
])(
  '$what has the running release rolled back first, and goes into the lane that is not live',
  async ({ hotfix, policy }) => {
    await using app = await openApp(`${plan}${policy}`);
    const { hands } = app;
    await using _ = await controllerOf(app.namespace);
    await startRelease(hands, await app.version('v1'));
    const { live } = await app.head();
    const second = startRelease(hands, await app.version('v2'));
    await app.isHolding('v2');

    const third = startRelease(hands, { ...(await app.version('v3')), hotfix, reason: 'ticket 12' });
    await second;
    const release = await app.isHolding('v3');

    const during = await app.head();
    expect(outcomesOf(during)).toEqual(['1 promoted', '2 rolledBack']);
    expect(during.history[1]?.text).toContain(hotfix ? 'hotfix: ticket 12' : 'superseded by revision');
    expect(during).toMatchObject({ live, release: { id: release, former: live } });
    await act(hands, 'promote', { release, reason: 'good' });
    await third;
    expect(outcomesOf(await app.head())).toEqual(['1 promoted', '2 rolledBack', '3 promoted']);
    expect(app.failed).toEqual([]);
  },
  240_000,
);
