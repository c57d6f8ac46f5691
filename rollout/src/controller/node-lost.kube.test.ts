import { expect, test } from '@jest/globals';
import { readStatus } from '../engine/status.ts';
import { act, pin } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { onSecondNode, startSecondNode } from '../platform/kubernetes/second-node.rig.ts';
import { statusText } from '../report/status.ts';
import { type ClusterApp, openApp, outcomesOf } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';
import { until } from './until.rig.ts';

// Whoever lent a cluster did not lend its nodes to be lost.
const ofOurs = testCluster().mode === 'full' ? test : test.skip;

ofOurs(
  "the node with all of the candidate's pods dies: live's users notice nothing, the others wait no longer than the judge needs, weight 0 is confirmed, the release ends while the dead pods are still listed, status says why, and the next release gets the lane",
  async () => {
    await using node = await startSecondNode();
    await using app = await openApp('  steps: [10%]\n  bake: 5m\n  watch: 1s\n', 'controller', { queue: true });
    await using _ = await controllerOf(app.namespace);
    const { hands } = app;
    await startRelease(hands, await app.version('v1'));
    const before = await app.generations();
    const releasing = startRelease(hands, await app.version('v2', {}, onSecondNode));
    await app.isHolding('v2');
    await pin(hands, { header: 'X-Team', value: 'qa' }, { to: 'live', release: undefined, reason: 'try' });
    await using pinned = app.users({ 'X-Team': 'qa' });
    const dying = await podsOf(app);

    const lostAt = Date.now();
    await node.lose();
    await until(async () => (await backStage(app)) === 'stopping', AbortSignal.timeout(60_000));
    const closedAt = Date.now();
    const during = await statusOf(app);
    await releasing;
    const endedAt = Date.now();

    const head = await app.head();
    const reason = head.history.at(-1)?.text ?? 'none';
    expect(outcomesOf(head)).toEqual(['1 promoted', '2 rolledBack']);
    expect(reason).toMatch(/fewer requests than its weight sends|lost its last ready proxy/);
    expect(during).toContain(reason);
    expect(await statusOf(app)).toContain(reason);
    expect(await podsOf(app)).toEqual(dying);
    expect((await app.generations()).blue).toBe(before.blue);

    const next = startRelease(hands, await app.version('v3'));
    await act(hands, 'promote', { release: await app.isHolding('v3'), reason: 'good' });
    await next;

    expect(outcomesOf(await app.head()).at(-1)).toBe('3 promoted');
    expect(await podsOf(app)).toEqual(expect.arrayContaining([...dying]));
    const lastAt = Math.max(...app.failed.map(({ sentAt }) => sentAt));
    process.stderr.write(
      `node lost: ${app.failed.length} requests failed, the last was sent ${lastAt - lostAt} ms after, weight 0 is confirmed after ${closedAt - lostAt} ms, the release has ended after ${endedAt - lostAt} ms: ${reason}\n`,
    );
    expect(lastAt).toBeLessThan(closedAt);
    expect(pinned.failed).toEqual([]);
  },
  300_000,
);

async function backStage({ head }: ClusterApp): Promise<string | undefined> {
  const phase = (await head()).release?.state.phase;
  return phase?.kind === 'rollingBack' ? phase.stage : undefined;
}

async function statusOf({ hands }: ClusterApp): Promise<string> {
  return statusText(await readStatus(hands.ports, hands.spec, hands.signal)).join('\n');
}

/** Of the candidate's lane. */
async function podsOf({ client, hands }: ClusterApp): Promise<readonly string[]> {
  const { items } = await client.list(kinds.Pod, { labels: 'headgate.dev/lane=green' }, hands.signal);
  return items.map(({ metadata }) => metadata.name).sort();
}
