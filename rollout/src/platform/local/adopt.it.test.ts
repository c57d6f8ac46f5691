import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from 'nats';
import type { Emit } from '../../engine/occurrence.ts';
import { aPlatform, handsOn, isAt, isOpen, quick } from '../../engine.rig.ts';
import { startRelease } from '../../hands/release.ts';
import { lanes } from '../../lane.ts';
import { bootstrap } from '../../queue/bootstrap.ts';
import { openConnection } from '../../queue/connection.ts';
import { deadLettersOf, identities } from '../../queue/jetstream.rig.ts';
import { openJetStreamQueue } from '../../queue/jetstream.ts';
import { deadLetterSubject } from '../../queue/names.ts';
import { openClient } from '../../queue/worker.rig.ts';
import { makeRevision, type Revision } from '../../revision.ts';
import { orderOf } from '../../simulate/named.ts';
import type { Adoption } from '../../spec.ts';
import { openHaproxyTraffic } from '../../traffic/haproxy.ts';
import { openLocalWorkload } from '../../workload/local.ts';
import { aRevision } from '../../workload/revision.rig.ts';
import { type SupervisorRig, superviseHere, until } from './supervisor/supervisor.rig.ts';

let rig: SupervisorRig;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'headgate-root-'));
  await furnish(root);
  rig = await superviseHere(root);
});

afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** This machine's Node, and NATS's client, which a lane's process could not see at its own place, that of this clone. */
async function furnish(folder: string): Promise<void> {
  const { stdout } = await promisify(execFile)('ldd', [process.execPath]);
  const program = [process.execPath, ...(stdout.match(/\/\S+/g) ?? [])];
  await Promise.all(program.map((file) => cp(file, join(folder, file), { dereference: true })));
  const { resolve } = createRequire(import.meta.url);
  const packages = resolve('nats').split('/nats/')[0] ?? '';
  await Promise.all(
    ['nats', 'nkeys.js', 'tweetnacl'].map((name) =>
      cp(join(packages, name), join(folder, 'node_modules', name), { recursive: true }),
    ),
  );
  await Promise.all(['proc', 'dev', 'tmp'].map((name) => mkdir(join(folder, name))));
}

const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };

/** Workers of it pull from the lane that they are told of, and know of no source list. */
function revisionOf(env: Readonly<Record<string, string>>): Revision {
  const { template, digests, repositories, commit } = aRevision();
  const { proxy, rating } = template.services;
  if (proxy === undefined || rating === undefined) throw new Error('a revision has both');
  const all = { NATS_MODULE: '/node_modules/nats', HANDLER_MS: '2', ...env };
  return makeRevision({
    digests,
    repositories,
    commit,
    template: { services: { proxy, rating: { ...rating, env: all } } },
  });
}

const live = revisionOf({});

/** A release with the lanes, queue and router of this machine, and clients of the queue's. Users who are counted go where the router says. */
async function open(adopt: Adoption, signal: AbortSignal) {
  const url = rig.info.urls.nats;
  const app = { app: 'ratings', existing: undefined };
  await using connection = openConnection('ratings', url);
  await bootstrap(connection, { ...app, services }, signal);
  const queue = openJetStreamQueue({ ...app, services, url });
  const world = aPlatform();
  const workload = openLocalWorkload(rig.client);
  const traffic = openHaproxyTraffic(rig.info.haproxy);
  const setWeights: typeof traffic.setWeights = async (weights, within) => {
    await world.traffic.setWeights(weights, within);
    return traffic.setWeights(weights, within);
  };
  const ports = { ...world.ports, workload, queue, traffic: { ...traffic, setWeights } };
  const nats = await connect({ servers: url });
  const whys: string[] = [];
  const effects = new Map<string, string[]>();
  nats.subscribe('effects.*', {
    callback: (_error, message) => {
      const id = message.string();
      effects.set(id, [...(effects.get(id) ?? []), message.subject.slice('effects.'.length)]);
    },
  });
  return {
    ports,
    world,
    nats,
    app,
    /** What was decided, as everybody is told. */
    whys,
    /** Revisions that applied each request. */
    effects,
    by: (revision: Revision) => [...effects.values()].filter((ids) => ids.includes(revision.id)).length,
    client: openClient(nats, app),
    release: (revision: Revision, spec = quick) => {
      const emit: Emit = (occurrence) => {
        if (occurrence.kind === 'decided') whys.push(occurrence.decision.why);
      };
      const hands = handsOn(ports, { spec, signal, emit });
      return startRelease(
        { ...hands, spec: { ...hands.spec, queue: { url, adopt, existing: undefined } } },
        orderOf(revision),
      );
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await queue[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
      for (const lane of lanes) await workload.scale(lane, { proxy: 0, rating: 0 }, signal);
      await until(
        () => Promise.all(lanes.map((lane) => workload.observe(lane, signal))),
        (seen) => seen.every((lane) => Object.values(lane.services).every(({ present }) => present === 0)),
      );
    },
  };
}

const sent = Array.from({ length: 300 }, (_, i) => `r${i}`);

test.each([
  { adopt: 'redeploy', told: [] },
  // None of these workers follows the list, so nobody takes the messages.
  { adopt: 'bind', told: [expect.stringMatching(/^live's workers have not taken over the backlog within 10 s/)] },
] as const)(
  'adopt: $adopt answers what a rolled back version left once each, by workers of live in its lane',
  async ({ adopt, told }) => {
    const signal = AbortSignal.timeout(90_000);
    await using play = await open(adopt, signal);
    const { ports, world, effects, by, client, release, whys } = play;
    const bad = revisionOf({ HANDLER_MS: '100' });
    await release(live);
    const before = await ports.workload.observe('blue', signal);

    const running = release(bad, { ...quick, steps: [50], bakeMs: 60_000 });
    await isOpen(ports, 'green', 50);
    client.send('green', sent.slice(0, 200));
    while (by(bad) < 4) await sleep(5, undefined, { signal });
    world.failing.add('green');
    await isAt(ports, 'rollingBack');
    client.send('green', sent.slice(200, 220)); // Late ones.
    client.send('blue', sent.slice(220));
    await running;

    expect([...client.answers.keys()].sort()).toEqual([...sent].sort());
    expect([...client.answers.values()].filter((answers) => answers.length !== 1)).toEqual([]);
    expect([...effects.values()].filter((revisions) => revisions.length !== 1)).toEqual([]);
    expect(by(bad)).toBeLessThan(100);
    expect(by(live)).toBe(300 - by(bad));
    expect(await ports.queue.observe('blue', signal)).toMatchObject({ messages: 0, sources: ['blue'] });
    expect(await ports.queue.observe('green', signal)).toMatchObject({ messages: 0, sources: ['green'] });
    expect(await ports.workload.observe('blue', signal)).toEqual(before);
    expect((await ports.workload.observe('green', signal)).services).toMatchObject(gone);
    expect(whys.filter((why) => why.includes("live's workers have not"))).toEqual(told);
  },
  90_000,
);

test('adopt: answer takes back a version that stops acking, and answers what it left with 503, for no other version to see', async () => {
  const signal = AbortSignal.timeout(90_000);
  await using play = await open('answer', signal);
  const { ports, nats, app, effects, by, client, release } = play;
  const bad = revisionOf({ ACKS_MAX: '20' });
  await release(live);
  const before = await Promise.all([ports.workload.observe('blue', signal), identities(nats, app)]);

  const running = release(bad, { ...quick, steps: [50], bakeMs: 60_000 });
  await isOpen(ports, 'green', 50);
  client.send('green', sent.slice(0, 200));
  await isAt(ports, 'rollingBack'); // By itself: nothing else is wrong with it.
  client.send('green', sent.slice(200, 220)); // Late ones.
  client.send('blue', sent.slice(220));
  const handled = await running;

  expect(handled).toMatchObject({ kind: 'ended' });
  expect([...client.answers.keys()].sort()).toEqual([...sent].sort());
  expect([...client.answers.values()].filter((answers) => answers.length !== 1)).toEqual([]);
  const refused = [...client.answers].filter(([, [status]]) => status === 503).map(([id]) => id);
  expect(refused).toHaveLength(200);
  expect([by(bad), by(live)]).toEqual([20, 80]);
  expect([...effects.keys()].filter((id) => refused.includes(id))).toEqual([]);
  const letters = await deadLettersOf(nats, app.app);
  expect(letters.map(({ subject }) => subject)).toEqual(refused.map(() => deadLetterSubject(app.app, 'green')));
  expect(letters.map(({ headers }) => headers.get('Nats-Msg-Id')).sort()).toEqual(
    refused.map((id) => `${id}:dead`).sort(),
  );
  expect(await ports.queue.observe('blue', signal)).toMatchObject({ messages: 0, sources: ['blue'] });
  expect(await ports.queue.observe('green', signal)).toMatchObject({
    messages: 0,
    consumers: { rating: { ackPending: 0 } },
  });
  expect(await Promise.all([ports.workload.observe('blue', signal), identities(nats, app)])).toEqual(before);
  expect((await ports.workload.observe('green', signal)).services).toMatchObject(gone);
}, 90_000);

const gone = { proxy: { present: 0 }, rating: { present: 0 } };
