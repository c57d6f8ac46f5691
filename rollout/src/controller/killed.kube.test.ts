import { expect, test } from '@jest/globals';
import { startRelease } from '../hands/release.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { openApp } from './app.rig.ts';
import { openRelay } from './relay.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods.each([
  {
    kind: 'promote',
    outcome: 'promoted',
    after: ['closing', 'starting', 'settling', 'holding', 'promoting', 'watching'],
  },
  { kind: 'rollback', outcome: 'rolledBack', after: ['closing', 'starting', 'settling', 'holding', 'rollingBack'] },
])(
  'a controller that drives is killed after each decision that it has recorded, at its takeover and at its evidence: the next one goes on, and nobody fails ($kind)',
  async ({ kind, outcome, after }) => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n');
    await using relay = await openRelay(app);
    const { hands } = app;
    await startRelease(hands, await app.version('v1'));

    relay.begin();
    const releasing = startRelease(hands, await app.version('v2'));
    const act = { kind, release: await app.isHolding('v2'), reason: 'try', step: null };
    await hands.ports.wishes.add({ act, actor: hands.actor, at: Date.now() }, hands.signal);
    await releasing;

    const { history } = await app.head();
    expect(history.map(({ id, outcome: how }) => `${id} ${how}`)).toEqual(['1 promoted', `2 ${outcome}`]);
    const wanted = [...after.map((phase) => `head ${phase}`), 'fence', 'evidence'];
    expect(wanted.filter((one) => !relay.deaths.some((death) => death.startsWith(one)))).toEqual([]);
    expect(app.failed).toEqual([]);
  },
  300_000,
);
