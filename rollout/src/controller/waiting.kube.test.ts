import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { kubeconfigAs, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import type { Head } from '../policy/release.ts';
import { type ClusterApp, openApp } from './app.rig.ts';
import { ControllerProcess } from './process.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;
const plan = '  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n';

async function controllerOf(namespace: string) {
  const config = await kubeconfigAs(namespace, 'headgate-controller');
  const controller = new ControllerProcess({
    KUBECONFIG: config.path,
    HEADGATE_NAMESPACE: namespace,
    HEADGATE_POD_NETWORK: '1',
  });
  return {
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await config[Symbol.asyncDispose]();
    },
  };
}

function versionOf(revision: { readonly template: Head['revisions'][number]['template'] } | undefined) {
  return revision?.template.services['proxy']?.env['VERSION'];
}

async function isWaiting(app: ClusterApp, version: string): Promise<void> {
  const within = AbortSignal.timeout(20_000);
  while (versionOf((await app.head()).waiting?.order.request.revision) !== version)
    await sleep(100, undefined, { signal: within });
}

const outcomes = ({ history }: Head) => history.map(({ id, outcome }) => `${id} ${outcome}`);

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
    await isWaiting(app, 'v3');
    const fourth = startRelease(hands, await app.version('v4'));

    expect(await third).toMatchObject({ kind: 'superseded' });
    expect((await app.head()).release).toMatchObject({ id: release, state: { phase: { kind: 'holding' } } });
    await act(hands, 'promote', { release, reason: 'good' });
    expect(await second).toMatchObject({ kind: 'ended', release });
    await act(hands, 'promote', { release: await app.isHolding('v4'), reason: 'good' });
    await fourth;
    const head = await app.head();
    expect(outcomes(head)).toEqual(['1 promoted', '2 promoted', '3 promoted']);
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
    expect(outcomes(during)).toEqual(['1 promoted', '2 rolledBack']);
    expect(during.history[1]?.text).toContain(hotfix ? 'hotfix: ticket 12' : 'superseded by revision');
    expect(during).toMatchObject({ live, release: { id: release, former: live } });
    await act(hands, 'promote', { release, reason: 'good' });
    await third;
    expect(outcomes(await app.head())).toEqual(['1 promoted', '2 rolledBack', '3 promoted']);
    expect(app.failed).toEqual([]);
  },
  240_000,
);
