import { expect, test } from '@jest/globals';
import { openApp } from '../controller/app.rig.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { startRelease } from './release.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;
const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const quickly = '  watch: 1s\n  keepWarm: 10m\n';

type Event = KubeObject & { readonly reason: string; readonly message: string };

withPods(
  'a release that a command drives leaves an Event of each decision, and labels of its lane, for kubectl',
  async () => {
    await using app = await openApp(quickly, 'cli');
    const { client, hands } = app;
    const one = await app.version('1');

    const ended = await startRelease(hands, one);
    await hands.ports.herald?.[Symbol.asyncDispose]();

    expect(ended).toMatchObject({ kind: 'ended', head: { live: 'blue' } });
    const { metadata } = (await client.get<KubeObject>(kinds.Deployment, 'test-blue-proxy', signal()))!;
    expect(metadata.labels).toMatchObject({
      'headgate.dev/role': 'live',
      'headgate.dev/release': '1',
      'headgate.dev/revision': one.revision.id.slice(0, 16),
    });
    const { items } = await client.list<Event>(kinds.Event, {}, signal());
    const told = items
      .filter(({ message }) => /^release \d/.test(message))
      .map(({ reason, message }) => [message.slice(0, 9), reason]);
    const { decisions } = await app.head();
    for (const { release, before: from, after } of decisions.filter(
      (each) => each.before.phase.kind !== each.after.phase.kind,
    )) {
      const { kind } = after.phase;
      expect(from.phase.kind).not.toBe(kind);
      expect(told).toContainEqual([`release ${release}`, kind.charAt(0).toUpperCase() + kind.slice(1)]);
    }
    expect(told.length).toBeGreaterThanOrEqual(decisions.length);
  },
  180_000,
);
