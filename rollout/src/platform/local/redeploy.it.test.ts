import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from 'nats';
import { aPlatform, handsOn, isAt, isOpen, quick } from '../../engine.rig.ts';
import { startRelease } from '../../hands/release.ts';
import { bootstrap } from '../../queue/bootstrap.ts';
import { openConnection } from '../../queue/connection.ts';
import { openJetStreamQueue } from '../../queue/jetstream.ts';
import { openClient } from '../../queue/worker.rig.ts';
import { makeRevision, type Revision } from '../../revision.ts';
import { orderOf } from '../../simulate/named.ts';
import { openHaproxyTraffic } from '../../traffic/haproxy.ts';
import { openLocalWorkload } from '../../workload/local.ts';
import { aRevision } from '../../workload/revision.rig.ts';
import { type SupervisorRig, superviseHere } from './supervisor/supervisor.rig.ts';

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

const app = { app: 'ratings', existing: undefined };
const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };

/** Workers of it pull from the lane that they are told of, and know of no source list. */
function revisionOf(handlerMs: number): Revision {
  const { template, digests, repositories, commit } = aRevision();
  const { proxy, rating } = template.services;
  if (proxy === undefined || rating === undefined) throw new Error('a revision has both');
  const env = { NATS_MODULE: '/node_modules/nats', HANDLER_MS: String(handlerMs) };
  return makeRevision({ digests, repositories, commit, template: { services: { proxy, rating: { ...rating, env } } } });
}

test('adopt: redeploy answers what a rolled back version left once each, by workers of live in its lane', async () => {
  const signal = AbortSignal.timeout(90_000);
  await using connection = openConnection('ratings', rig.info.urls.nats);
  await bootstrap(connection, { ...app, services }, signal);
  await using queue = openJetStreamQueue({ ...app, services, url: rig.info.urls.nats });
  await using world = aPlatform();
  const workload = openLocalWorkload(rig.client);
  const traffic = openHaproxyTraffic(rig.info.haproxy);
  const setWeights: typeof traffic.setWeights = async (weights, within) => {
    await world.traffic.setWeights(weights, within); // Where the users that are counted go.
    return traffic.setWeights(weights, within);
  };
  const ports = { ...world.ports, workload, queue, traffic: { ...traffic, setWeights } };
  const release = (revision: Revision, spec = quick) => {
    const hands = handsOn(ports, { spec, signal });
    const adopting = { url: rig.info.urls.nats, adopt: 'redeploy', existing: undefined } as const;
    return startRelease({ ...hands, spec: { ...hands.spec, queue: adopting } }, orderOf(revision));
  };
  const nats = await connect({ servers: rig.info.urls.nats });
  const effects = new Map<string, string[]>();
  nats.subscribe('effects.*', {
    callback: (_error, message) => {
      const id = message.string();
      effects.set(id, [...(effects.get(id) ?? []), message.subject.slice('effects.'.length)]);
    },
  });
  const client = openClient(nats, app);
  const by = (revision: Revision) => [...effects.values()].filter((ids) => ids.includes(revision.id)).length;
  const [live, bad] = [revisionOf(2), revisionOf(100)];
  await release(live);
  const before = await workload.observe('blue', signal);

  const running = release(bad, { ...quick, steps: [50], bakeMs: 60_000 });
  await isOpen(ports, 'green', 50);
  const sent = Array.from({ length: 300 }, (_, i) => `r${i}`);
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
  expect(await queue.observe('blue', signal)).toMatchObject({ messages: 0, sources: ['blue'] });
  expect(await queue.observe('green', signal)).toMatchObject({ messages: 0, sources: ['green'] });
  expect(await workload.observe('blue', signal)).toEqual(before);
  expect((await workload.observe('green', signal)).services).toMatchObject({
    proxy: { present: 0 },
    rating: { present: 0 },
  });
  await nats.close();
}, 90_000);
