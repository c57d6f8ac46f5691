import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { aPlatform, handsOn, isAt, isOpen, quick } from '../../engine.rig.ts';
import { startRelease } from '../../hands/release.ts';
import type { Lane } from '../../lane.ts';
import { orderOf } from '../../simulate/named.ts';
import { openHaproxyTraffic } from '../../traffic/haproxy.ts';
import { openLocalWorkload } from '../../workload/local.ts';
import { aRevision } from '../../workload/revision.rig.ts';
import { type SupervisorRig, superviseHere, until } from './supervisor/supervisor.rig.ts';

let rig: SupervisorRig;

beforeAll(async () => {
  rig = await superviseHere();
});

afterAll(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const upgrade = [
  'Host: h',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** A websocket through HAProxy that is answered by this lane, once its first words came back. */
async function socketTo(lane: Lane): Promise<Socket> {
  for (;;) {
    const socket = connect(Number(new URL(rig.info.urls.http).port), '127.0.0.1').on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\n${upgrade.join('\r\n')}\r\n\r\n`);
    const [head] = await once(socket, 'data');
    if (String(head).toLowerCase().includes(`headgate-lane: ${lane}`)) return socket;
    socket.destroy();
  }
}

async function echoes(socket: Socket): Promise<boolean> {
  socket.write('still there?');
  const [words] = await once(socket, 'data');
  return String(words) === 'still there?';
}

test("the candidate's websocket is closed when the grace is over on the way back, the former lane's when the watch ends", async () => {
  const signal = AbortSignal.timeout(60_000);
  await using world = aPlatform();
  const workload = openLocalWorkload(rig.client);
  const traffic = openHaproxyTraffic(rig.info.haproxy);
  const setWeights: typeof traffic.setWeights = async (weights, within) => {
    await world.traffic.setWeights(weights, within); // Where the users that are counted go.
    return traffic.setWeights(weights, within);
  };
  const ports = { ...world.ports, workload, traffic: { ...traffic, setWeights } };
  const release = (commit: string, spec = quick) =>
    startRelease(handsOn(ports, { spec, signal }), orderOf(aRevision({ commit })));
  await release('a');
  const former = await socketTo('blue');

  const slow = { ...quick, steps: [50], bakeMs: 60_000, connectionGraceMs: 1_500 };
  const running = release('b', slow);
  await isOpen(ports, 'green', 50);
  const candidate = await socketTo('green');
  const beside = await socketTo('blue');
  world.failing.add('green');
  await isAt(ports, 'rollingBack');
  const backAt = performance.now();
  expect(await echoes(candidate)).toBe(true);
  await once(candidate, 'close');
  const closedMs = performance.now() - backAt;
  await running;

  expect(closedMs).toBeGreaterThan(1_000);
  expect(closedMs).toBeLessThan(6_000); // Without a grace its proxy has 10 s to end by itself, which it does not.
  expect(await Promise.all([echoes(beside), echoes(former)])).toEqual([true, true]);

  world.failing.clear();
  const closed = Promise.all([once(former, 'close'), once(beside, 'close')]);
  await release('c');
  await closed;
  const warm = await until(
    () => workload.observe('blue', signal),
    ({ services }) => services['proxy']?.ready === 1,
  );

  expect(warm.services).toMatchObject({ proxy: { ready: 1, present: 1 } });
}, 40_000);
