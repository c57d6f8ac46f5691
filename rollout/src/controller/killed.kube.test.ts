import { expect, test } from '@jest/globals';
import { startRelease } from '../hands/release.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { openApp } from './app.rig.ts';
import { openRelay } from './relay.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

// Before each record of the head: how often the route has been changed since the release began, as what was not recorded is not done.
withPods.each([
  {
    kind: 'promote',
    outcome: 'promoted',
    records: { closing: 0, starting: 0, settling: 0, holding: 1, promoting: 1, watching: 2 },
  },
  // The candidate's weight 0 waits for no record.
  {
    kind: 'rollback',
    outcome: 'rolledBack',
    records: { closing: 0, starting: 0, settling: 0, holding: 1, 'rollingBack/closing': 2 },
  },
])(
  'a controller that drives is killed before and after each decision that it records, at its takeover and at its evidence: nothing is done before its record, the next one goes on, and nobody fails ($kind)',
  async ({ kind, outcome, records }) => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n');
    await using relay = await openRelay(app);
    const { hands } = app;
    await startRelease(hands, await app.version('v1'));
    const atRest = await app.generations();

    relay.begin();
    const releasing = startRelease(hands, await app.version('v2'));
    const act = { kind, release: await app.isHolding('v2'), reason: 'try', step: null };
    await hands.ports.wishes.add({ act, actor: hands.actor, at: Date.now() }, hands.signal);
    await releasing;

    const { history } = await app.head();
    expect(history.map(({ id, outcome: how }) => `${id} ${how}`)).toEqual(['1 promoted', `2 ${outcome}`]);
    const deaths = [...Object.keys(records).map((phase) => `head ${phase}`), 'fence', 'evidence'];
    const wanted = ['before', 'after'].flatMap((when) => deaths.map((death) => `${when} ${death}`));
    expect(wanted.filter((one) => !relay.deaths.some((death) => death.startsWith(one)))).toEqual([]);
    const seen = await relay.seenBefore();
    expect(seen).toMatchObject(
      Object.fromEntries(Object.entries(records).map(([phase, times]) => [phase, { route: atRest.route + times }])),
    );
    expect([seen['closing'], seen['starting']]).toEqual([atRest, atRest]); // The candidate's lane is another one from then on.
    expect(seen[Object.keys(records).at(-1)!]).toMatchObject({ blue: atRest.blue, green: seen['settling']?.green });
    expect(app.failed).toEqual([]);
  },
  300_000,
);
