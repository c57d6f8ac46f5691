import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { connect, type NatsConnection } from 'nats';
import type { WishAct } from '../engine/wishes.ts';
import { startRelease } from '../hands/release.ts';
import { type Lane, otherLane } from '../lane.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { laneSelector } from '../platform/kubernetes/lane-names.ts';
import type { Head } from '../policy/release.ts';
import { deadLettersOf, identities } from '../queue/jetstream.rig.ts';
import { openClient } from '../queue/worker.rig.ts';
import type { Adoption, ReleaseSpec } from '../spec.ts';
import { type ClusterApp, openApp } from './app.rig.ts';
import { openRelay, type RecordKind, type Relay } from './relay.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

/** Whoever adds a kind of record has an error of types here, and where it is named and nobody was killed at it, the test fails. */
const every = {
  evidence: true,
  'phase closing': true,
  'phase starting': true,
  'phase comparing': true,
  'phase settling': true,
  'phase holding': true,
  'phase promoting': true,
  'phase watching': true,
  'phase returning': true,
  'phase rollingBack/closing': true,
  'phase rollingBack/fencing': true,
  'phase rollingBack/stopping': true,
  'phase rollingBack/binding': true,
  'phase rollingBack/draining': true,
  'phase rollingBack/answering': true,
  'phase rollingBack/retiring': true,
  'phase rollingBack/emptying': true,
  'phase rollingBack/unbinding': true,
  'phase rolledBack': true,
  'phase interrupted': true,
  'phase promoted': true,
  'phase retiring/proxies': true,
  'phase retiring/draining': true,
  'phase retiring/workers': true,
  'phase retired': true,
  'wish release': true,
  'wish promote': true,
  'wish step': true,
  'wish rollback': true,
  'wish hold': true,
  'wish resume': true,
  'wish pin': true,
  'wish unpin': true,
  'state phase': true,
  'state live': true,
  'state peak': true,
  'state held': true,
  'state pins': true,
  'head fence': true,
  'head live': true,
  'head lanes': true,
  'head release': true,
  'head nextRelease': true,
  'head decisions': true,
  'head history': true,
  'head revisions': true,
  'head quarantined': true,
  'head answers': true,
  'head waiting': true,
  'head spec': true,
} satisfies Record<RecordKind, true>;

const queue = { app: 'test', existing: undefined };

withPods(
  'whoever drives is killed before and after each kind of record that there is, with a queue, on the way to a promotion and on both ways back: nothing is done before its record, the next one ends the release, and nothing is lost',
  async () => {
    await using app = await openApp('  steps: [10%, 50%]\n  bake: 5m\n', 'controller', { queue: true });
    await using relay = await openRelay(app);
    const nats = await connect({ servers: app.nats! });
    await using users = openUsers(app, nats);
    await startRelease(app.hands, await app.version('v1'));
    const streams = await identities(nats, queue);
    relay.begin();

    await promoted(app, relay);
    const next = await returned(app);
    await rolledBack(app, relay, users, next);

    const answers = await users.stop();
    expect([...answers.values()].filter((codes) => codes.length === 0)).toEqual([]);
    expect(new Set([...answers.values()].flat())).toEqual(new Set([200, 503, 500]));
    expect(answers.get('poison')).toContain(500);
    expect((await deadLettersOf(nats, 'test')).map(({ headers }) => headers?.get('Nats-Msg-Id'))).toContain(
      'poison:dead',
    );
    expect((await app.head()).history.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      '1 promoted',
      '2 promoted',
      '3 rolledBack',
      '4 rolledBack',
    ]);
    const kinds = [...new Set([...relay.deaths].map((death) => death.replace(/^(before|after) /, '')))];
    expect(kinds.sort()).toEqual(Object.keys(every).sort());
    const wanted = Object.keys(every).flatMap((kind) => [`before ${kind}`, `after ${kind}`]);
    expect([...relay.deaths].sort()).toEqual(wanted.sort());
    expect(await identities(nats, queue)).toEqual(streams);
    expect(app.failed).toEqual([]);
  },
  600_000,
);

/** By a person, step by step; the former lane is not kept warm for long. */
async function promoted(app: ClusterApp, relay: Relay): Promise<void> {
  const atRest = await app.generations();
  const releasing = release(app, 'v2', { watchMs: 1_000, keepWarmMs: 1_000 });
  await app.isAt('v2', 'holding');
  await wish(app, { kind: 'step', step: 0 });
  await until(app, ({ release: now }) => now?.state.phase.kind === 'holding' && now.state.phase.step === 1);
  await wish(app, { kind: 'promote', step: null });
  await releasing;
  await app.isAt('v2', 'retired');
  const seen = await relay.seenBefore();
  const changes = { closing: 0, starting: 0, settling: 0, holding: 1, promoting: 2, watching: 3 };
  expect(seen).toMatchObject(
    Object.fromEntries(Object.entries(changes).map(([phase, times]) => [phase, { route: atRest.route + times }])),
  );
  expect([seen['closing'], seen['starting']]).toEqual([atRest, atRest]); // The candidate's lane is another one from then on.
  expect(seen['watching']).toMatchObject({ blue: atRest.blue, green: seen['settling']?.green });
}

/** After it was promoted, from a version whose messages no other one reads. @returns the release that waited meanwhile */
async function returned(app: ClusterApp): Promise<{ readonly over: Promise<unknown> }> {
  const before = await livePods(app);
  const releasing = release(app, 'v3', { strategy: 'blue-green' }, 'answer');
  await app.isAt('v3', 'comparing');
  const over = release(app, 'v4');
  await wish(app, { kind: 'promote', step: null }); // Unless the comparison was faster.
  await app.isAt('v3', 'watching');
  await wish(app, { kind: 'rollback', step: null });
  await releasing;
  expect(await livePods(app)).toEqual(before);
  return { over };
}

/** Before it was promoted, with every other wish, drivers that were told to go, and a message that nobody can answer. */
async function rolledBack(
  app: ClusterApp,
  relay: Relay,
  users: QueueUsers,
  { over }: { readonly over: Promise<unknown> },
): Promise<void> {
  const { hands, client } = app;
  const marker = { header: 'X-Try', value: 'yes' };
  await app.isAt('v4', 'holding');
  const { lane } = await livePods(app);
  await wish(app, { kind: 'hold', step: null });
  await wish(app, { kind: 'resume', step: null });
  await wish(app, { kind: 'pin', marker, to: 'candidate' });
  await wish(app, { kind: 'unpin', marker });
  await client.merge(kinds.Deployment, `test-${lane}-proxy`, { spec: { replicas: 2 } }, hands.signal);
  while (!relay.deaths.has('after state peak')) await sleep(50, undefined, { signal: hands.signal });
  const left = await app.head();
  const { route } = await app.generations();
  await relay.replace();
  const taken = await app.head();
  expect(relay.deaths).not.toContain('before phase interrupted');
  expect(taken.fence).toBeGreaterThan(left.fence);
  expect(taken.release?.state.phase).toEqual(left.release?.state.phase);
  expect(await app.generations()).toMatchObject({ route });
  await relay.interrupt();
  await app.isAt('v4', 'holding');
  const before = await livePods(app);
  users.send(otherLane(lane), 'poison');
  await wish(app, { kind: 'rollback', step: null });
  await over;
  expect(await livePods(app)).toEqual(before);
}

function release(app: ClusterApp, version: string, changed: Partial<ReleaseSpec> = {}, adopt: Adoption = 'bind') {
  const { hands, spec } = app;
  const changedSpec = { ...spec, release: { ...spec.release, ...changed }, queue: { ...spec.queue!, adopt } };
  return app.version(version).then((request) => startRelease({ ...hands, spec: changedSpec }, request));
}

type Wished = WishAct extends infer W
  ? W extends { readonly reason: string }
    ? Omit<W, 'release' | 'reason'>
    : never
  : never;

/** Leaves it in the box, and waits for nothing but its answer: whoever asks by a command would drive a rollback that nobody takes up. */
async function wish(app: ClusterApp, wished: Wished): Promise<void> {
  const { ports, actor, signal } = app.hands;
  const act = { ...wished, release: null, reason: 'try' };
  const id = await ports.wishes.add({ act, actor, at: Date.now() }, signal);
  await until(app, ({ answers }) => answers.some((answer) => answer.id === id));
}

async function until({ head, hands }: ClusterApp, holds: (head: Head) => boolean): Promise<void> {
  while (!holds(await head())) await sleep(100, undefined, { signal: hands.signal });
}

async function livePods({ client, head, generations, hands }: ClusterApp) {
  const lane = (await head()).live!;
  const { items } = await client.list<KubeObject>(kinds.Pod, { labels: laneSelector('test', lane) }, hands.signal);
  return { lane, generation: (await generations())[lane], pods: items.map(({ metadata: { uid } }) => uid).sort() };
}

type QueueUsers = AsyncDisposable & {
  send(lane: Lane, id: string): void;
  /** Sends no more. @returns what came back, by request, as soon as each has an answer, or after long enough */
  stop(): Promise<ReadonlyMap<string, readonly number[]>>;
};

/** They have the connection from now on, and go where the lanes' proxies would send them: to the candidate too while it has weight, and some time longer. */
function openUsers({ head }: ClusterApp, nats: NatsConnection): QueueUsers {
  const { answers, send } = openClient(nats, queue);
  const sent: string[] = [];
  const over = new AbortController();
  const sendTo = (lane: Lane, id: string) => {
    sent.push(id);
    send(lane, [id]);
  };
  const sending = (async () => {
    while (!over.signal.aborted) {
      for (const lane of lanesWithUsers(await head())) sendTo(lane, `r${sent.length}`);
      await sleep(100);
    }
  })();
  const stop = async () => {
    over.abort();
    await sending;
  };
  return {
    send: sendTo,
    async stop() {
      await stop();
      for (let tries = 0; tries < 150 && sent.some((id) => !answers.has(id)); tries++) await sleep(100);
      return new Map(sent.map((id) => [id, answers.get(id) ?? []]));
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await nats.close();
    },
  };
}

function lanesWithUsers({ live, release: running }: Head): ReadonlySet<Lane> {
  const phase = running?.state.phase;
  const isOpen = phase?.kind === 'holding' || phase?.kind === 'promoting';
  const isClosing = phase?.kind === 'rollingBack' && (phase.stage === 'closing' || phase.stage === 'fencing');
  const lanes = [live, isOpen || isClosing ? running?.candidate : undefined];
  return new Set(lanes.filter((lane) => lane !== undefined));
}
