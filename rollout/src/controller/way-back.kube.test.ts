import { once } from 'node:events';
import { connect as connectTo, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { connect } from 'nats';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import type { Lane } from '../lane.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { laneSelector, marks } from '../platform/kubernetes/lane-names.ts';
import type { Head } from '../policy/release.ts';
import { openClient } from '../queue/worker.rig.ts';
import type { Revision } from '../revision.ts';
import { type ClusterApp, openApp, outcomesOf } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';
import { until } from './until.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

const connectionGraceMs = 4_000;
/** More than the candidate's worker gets through before it is told to go. */
const backlog = 800;

withPods(
  "on the way back with adopt: redeploy workers of live's revision work off the candidate's backlog in its lane, each message once; a websocket that users opened to the candidate is closed after connectionGrace, and live's is not",
  async () => {
    const plan = `  steps: [50%]\n  bake: 5m\n  watch: 2s\n  connectionGrace: ${connectionGraceMs}ms\n`;
    await using app = await openApp(plan, 'controller', { queue: true });
    await using _ = await controllerOf(app.namespace);
    await using nats = await openEffects(app);
    const hands = { ...app.hands, spec: { ...app.spec, queue: { ...app.spec.queue!, adopt: 'redeploy' as const } } };
    const [v1, v2] = [await app.version('v1'), await app.version('v2')];
    await startRelease(hands, v1);
    const releasing = startRelease(hands, v2);
    const release = await app.isHolding('v2');
    const [former, candidate] = [await socketTo(app, 'blue'), await socketTo(app, 'green')];
    const ids = Array.from({ length: backlog }, (_, n) => `r${n}`);
    nats.client.send('green', ids);
    await until(() => nats.by(v2.revision).length > 0, AbortSignal.timeout(60_000));

    const closed = once(candidate, 'close').then(() => Date.now());
    await act(hands, 'rollback', { release, reason: 'enough' });
    const [closedAt] = await Promise.all([closed, redeployed(app, v1.revision)]);
    await releasing;
    await until(() => ids.every((id) => nats.client.answers.has(id)), AbortSignal.timeout(60_000));

    const head = await app.head();
    expect(outcomesOf(head)).toEqual(['1 promoted', '2 rolledBack']);
    expect(nats.by(v1.revision).length).toBeGreaterThan(0);
    expect([...nats.by(v1.revision), ...nats.by(v2.revision)].sort()).toEqual([...ids].sort());
    expect(new Set(ids.flatMap((id) => nats.client.answers.get(id)))).toEqual(new Set([200]));
    const openMs = closedAt - closedSince(head);
    expect(openMs).toBeGreaterThanOrEqual(connectionGraceMs);
    expect(openMs).toBeLessThan(connectionGraceMs + 5_000); // A proxy that is told to go waits for its users for longer.
    expect(await echoes(former)).toBe(true);
    former.destroy();
    expect(app.failed).toEqual([]);
  },
  180_000,
);

/** Clients of the queue, and what workers did for them. */
async function openEffects({ nats: url }: ClusterApp) {
  const nats = await connect({ servers: url! });
  const effects: { readonly by: string; readonly id: string }[] = [];
  nats.subscribe('effects.*', {
    callback: (_error, message) => effects.push({ by: message.subject.slice('effects.'.length), id: message.string() }),
  });
  return {
    client: openClient(nats, { app: 'test', existing: undefined }),
    /** Requests that workers of this revision have done, in their order. */
    by: ({ id: revision }: Revision) => effects.filter(({ by }) => by === revision).map(({ id }) => id),
    [Symbol.asyncDispose]: () => nats.close(),
  };
}

/** Waits until the candidate's lane has a worker of this revision. */
async function redeployed({ client, hands }: ClusterApp, { id }: Revision): Promise<void> {
  const labels = `${laneSelector('test', 'green')},${marks.service}=rating`;
  const isOf = ({ metadata }: KubeObject) => id.startsWith(metadata.labels?.[marks.revision] ?? 'none');
  await until(
    async () => (await client.list<KubeObject>(kinds.Pod, { labels }, hands.signal)).items.some(isOf),
    AbortSignal.timeout(60_000),
  );
}

/** When no user was led to the candidate any more. */
function closedSince({ decisions }: Head): number {
  const phases = decisions.map(({ after }) => after.phase);
  return phases.find((phase) => phase.kind === 'rollingBack' && phase.stage === 'fencing')!.since;
}

/** A websocket that the gateway led to this lane. */
async function socketTo({ namespace }: ClusterApp, lane: Lane): Promise<Socket> {
  const [gateway = ''] = testCluster().gateways;
  const { hostname, port } = new URL(gateway);
  const upgrade = [
    'GET / HTTP/1.1',
    `Host: ${namespace}.test`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ];
  for (const within = AbortSignal.timeout(20_000); ; within.throwIfAborted()) {
    const socket = connectTo(Number(port), hostname).on('error', () => {});
    socket.write(`${upgrade.join('\r\n')}\r\n\r\n`);
    const [head] = await once(socket, 'data', { signal: within });
    if (String(head).toLowerCase().includes(`headgate-lane: ${lane}`)) return socket;
    socket.destroy();
  }
}

async function echoes(socket: Socket): Promise<boolean> {
  socket.write('still there?');
  const [words] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
  return String(words) === 'still there?';
}
