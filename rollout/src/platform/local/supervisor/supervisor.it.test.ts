import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Lane, percent, weightsFor } from '../../../lane.ts';
import { openHaproxyTraffic } from '../../../traffic/haproxy.ts';
import { aRevision } from '../../../workload/revision.rig.ts';
import { runtimeCommand } from '../servers/runtime-socket.ts';
import { type SupervisorRig, superviseHere, until } from './supervisor.rig.ts';

let rig: SupervisorRig;
const signal = AbortSignal.timeout(120_000);
const two = { proxy: 2, rating: 1 };

beforeAll(async () => {
  rig = await superviseHere();
});

afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
});

async function bringUp(lane: Lane): Promise<void> {
  await rig.client.setRevision(lane, aRevision(), signal);
  await rig.client.scale(lane, two, signal);
  await until(
    () => rig.client.observe(lane, signal),
    ({ services }) => services['proxy']?.ready === 2,
  );
}

const traffic = () => openHaproxyTraffic(rig.info.haproxy);
const allTo = (lane: Lane) => traffic().setWeights(weightsFor(lane, percent(100)), signal);

/** Open loop: one request every 5 ms, whatever becomes of the ones before. */
async function load(forMs: number, path: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const waiting: Promise<void>[] = [];
  const one = async () => {
    const response = await fetch(rig.info.urls.http + path).catch(() => undefined);
    await response?.arrayBuffer();
    const kind = `${response?.status ?? 'broken'} ${response?.headers.get('headgate-lane') ?? 'nobody'}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  };
  const endAt = Date.now() + forMs;
  while (Date.now() < endAt) {
    waiting.push(one());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(waiting);
  return counts;
}

test('a lane that is scaled to 0 under load loses no request', async () => {
  await bringUp('blue');
  await bringUp('green');
  await allTo('blue');

  const loading = load(1_500, '/?ms=200');
  await new Promise((resolve) => setTimeout(resolve, 500)); // Part of the load, not a wait: blue shall be busy.
  await allTo('green');
  await rig.client.scale('blue', { proxy: 0, rating: 0 }, signal);
  const gone = until(
    () => rig.client.observe('blue', signal),
    ({ services }) => services['proxy']?.present === 0,
  );
  const counts = await loading;

  expect((await gone).services['proxy']?.failure).toBeUndefined();
  expect([...counts.keys()].sort()).toEqual(['200 blue', '200 green']);
  expect(counts.get('200 blue')).toBeGreaterThan(20);
});

test('a proxy that crashes is out of the rotation at once, noted with its last words, and started again', async () => {
  await allTo('green');
  await fetch(rig.info.urls.http).then((response) => response.text()); // Its connection is kept, and used again.
  const broken = await fetch(`${rig.info.urls.http}/exit`);

  const seen = await until(
    () => rig.client.observe('green', signal),
    ({ services }) => services['proxy']?.failure !== undefined,
  );
  const counts = await load(300, '/');

  expect([broken.status, broken.headers.get('headgate-lane')]).toEqual([502, 'green']);
  expect(seen.services['proxy']).toMatchObject({ ready: 1, failure: { reason: 'crash' } });
  expect(seen.services['proxy']?.failure?.message).toMatch(/^proxy of lane green ended with exit code 9 after \d/);
  expect([...counts.keys()]).toEqual(['200 green']);
  await until(
    () => rig.client.observe('green', signal),
    ({ services }) => services['proxy']?.ready === 2,
  );
});

test('a service that never gets ready is seen as such, with its reason', async () => {
  await rig.client.setRevision('blue', aRevision({ proxy: 'never-ready' }), signal);
  await rig.client.scale('blue', { proxy: 1 }, signal);

  const seen = await until(
    () => rig.client.observe('blue', signal),
    ({ services }) => services['proxy']?.present === 1,
  );

  expect(seen.services['proxy']).toMatchObject({ wanted: 1, ready: 0 });
  await rig.client.scale('blue', { proxy: 0 }, signal);
});

test('an HAProxy that was killed comes back with its proxies, weights and pins', async () => {
  await allTo('green');
  const pin = { header: 'x-pin', value: '1', lane: 'green' } as const;
  await traffic().setPins([pin], signal);
  const agreed = { kind: 'agreed', weights: { blue: 0, green: 100 }, pins: [pin] };
  const noted = JSON.stringify({ weights: agreed.weights, pins: [pin] });
  await until(
    () => readFile(`${rig.folder}/traffic.json`, 'utf8'),
    (text) => text === noted,
  );

  process.kill(await haproxyPid(), 'SIGKILL');

  const status = () =>
    fetch(rig.info.urls.http).then(
      ({ status }) => status,
      () => 0,
    );
  await until(status, (seen) => seen === 0);
  await until(status, (seen) => seen === 200);
  expect(await traffic().observe(signal)).toEqual(agreed);
});

async function haproxyPid(): Promise<number> {
  const info = await runtimeCommand(rig.info.haproxy.socket, 'show info', signal);
  return Number(/^Pid: (\d+)/m.exec(info)?.[1]);
}
