import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act, pin } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { readHead } from './book.ts';
import { readStatus } from './status.ts';

const signal = () => AbortSignal.timeout(5_000);
const marker = { header: 'X-Variant', value: 'b' };
const tested = { ...quick, strategy: 'ab', steps: [], pins: [marker] } as const;

/** An app at its first version, and users who carry the marker: the router counts them apart while it is pinned. */
async function aWorldWithMarkedUsers() {
  const world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const users = setInterval(() => {
    const lane = world.traffic.route({ 'x-variant': 'b' });
    for (let n = 0; n < 40 && lane !== undefined; n++)
      world.metrics.count(lane, 'pinned', world.failing.has(lane) ? 'failed' : 'passed');
  }, 20);
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      clearInterval(users);
      await world[Symbol.asyncDispose]();
    },
  };
}

test('a bad candidate of an A/B test goes back by itself, by what those who are pinned saw', async () => {
  await using world = await aWorldWithMarkedUsers();
  const testing = startRelease(handsOn(world.ports, { spec: tested }), aRequest('v2'));
  await isAt(world.ports, 'holding');
  expect(await world.traffic.observe(signal())).toMatchObject({
    weights: { green: 0 },
    pins: [{ ...marker, lane: 'green' }],
  });

  world.failing.add('green');

  expect(await testing).toMatchObject({
    head: { release: { state: { phase: { kind: 'rolledBack', reason: { kind: 'verdict' } }, pins: [] } } },
  });
  expect(await world.traffic.observe(signal())).toMatchObject({ weights: { blue: 100 }, pins: [] });
}, 30_000);

test('a good one holds until a person promotes it, and can be switched off meanwhile', async () => {
  await using world = await aWorldWithMarkedUsers();
  const testing = startRelease(handsOn(world.ports, { spec: tested }), aRequest('v2'));
  await isAt(world.ports, 'holding');
  await new Promise((resolve) => setTimeout(resolve, 2 * tested.bakeMs));
  expect(await readStatus(world.ports, { app: 'test' } as never, signal())).toMatchObject({
    hold: { reason: 'test' },
    evidence: { verdict: 'hold', logPromote: undefined },
  });

  await pin(handsOn(world.ports), marker, { to: undefined, release: 2, reason: 'stop it' });
  expect(world.traffic.route({ 'x-variant': 'b' })).toBe('blue');
  const { release } = await readHead(world.ports.journal, 'test', signal());
  expect(release?.state.phase.kind).toBe('holding');

  await act(handsOn(world.ports), 'promote', { release: 2, reason: 'b wins' });
  expect(await testing).toMatchObject({ head: { live: 'green', release: { state: { phase: { kind: 'promoted' } } } } });
}, 30_000);
