import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act, pin } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import type { Platform } from '../platform/platform.ts';
import { readHead } from './book.ts';

const signal = () => AbortSignal.timeout(5_000);
const team = { header: 'X-Team', value: 'qa' };
const asked = { release: undefined, reason: 'a look' };
const slow = { ...quick, bakeMs: 100_000 };

async function pinsOf(ports: Platform): Promise<readonly string[]> {
  const { release } = await readHead(ports.journal, 'test', signal());
  return release?.state.pins.map(({ header, to, actor, reason }) => `${header} ${to.kind} ${actor} ${reason}`) ?? [];
}

test('pin() is done under the lock when nobody drives, confirmed, and on record', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));

  const pinned = await pin(handsOn(world.ports), team, { ...asked, to: 'live' });

  expect(pinned).toMatchObject({ kind: 'done', text: 'X-Team=qa leads to live, lane blue' });
  expect(await pinsOf(world.ports)).toEqual(['X-Team live kim@desk a look']);
  expect(world.traffic.route({ 'x-team': 'qa' })).toBe('blue');
  const { decisions } = await readHead(world.ports.journal, 'test', signal());
  expect(decisions.map(({ why }) => why)).toContain('kim@desk pins X-Team=qa to live: a look');

  const off = await pin(handsOn(world.ports), team, { ...asked, to: undefined });

  expect(off).toMatchObject({ kind: 'done', text: 'X-Team=qa leads nowhere any more' });
  expect(await pinsOf(world.ports)).toEqual([]);
  expect(await world.traffic.observe(signal())).toMatchObject({ pins: [] });
}, 20_000);

test('pin() is taken up by whoever drives, and leads to the candidate until it goes back', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const running = startRelease(handsOn(world.ports, { spec: slow }), aRequest('v2'));
  await isAt(world.ports, 'holding');

  const pinned = await pin(handsOn(world.ports), team, { ...asked, to: 'candidate' });

  expect(pinned).toMatchObject({ kind: 'done', text: 'X-Team=qa leads to the candidate, lane green' });
  expect(world.traffic.route({ 'x-team': 'qa' })).toBe('green');
  await act(handsOn(world.ports), 'rollback', { release: 2, reason: 'enough' });
  expect(await running).toMatchObject({ kind: 'ended' });
  expect(await world.traffic.observe(signal())).toMatchObject({ weights: { green: 0 }, pins: [] });
  expect(await pinsOf(world.ports)).toEqual(['X-Team candidate kim@desk a look']);
}, 20_000);

test('pin() to a role follows it when the roles swap', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  await pin(handsOn(world.ports), team, { ...asked, to: 'live' });
  await pin(handsOn(world.ports), { header: 'X-Next', value: '1' }, { ...asked, to: 'candidate' });

  await startRelease(handsOn(world.ports), aRequest('v2'));

  expect(await world.traffic.observe(signal())).toMatchObject({
    weights: { green: 100 },
    pins: [{ ...team, lane: 'green' }],
  });
}, 20_000);

test.each([
  { to: '1234abcd', release: undefined, says: 'no lane holds a revision 1234abcd' },
  { to: 'live', release: 7, says: 'release 7' },
])('pin() to $to of release $release is refused', async ({ to, release, says }) => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));

  const refused = await pin(handsOn(world.ports), team, { to, release, reason: '' });

  expect(refused).toMatchObject({ kind: 'refused', code: 'REFUSED', text: expect.stringContaining(says) });
});

test('pin() is refused before the first release, and for a marker that is not pinned', async () => {
  await using world = aPlatform();

  expect(await pin(handsOn(world.ports), team, { ...asked, to: 'live' })).toMatchObject({
    kind: 'refused',
    text: 'Cannot pin as nothing has been released yet',
  });
  await startRelease(handsOn(world.ports), aRequest('v1'));
  expect(await pin(handsOn(world.ports), team, { ...asked, to: undefined })).toMatchObject({
    kind: 'refused',
    text: 'X-Team=qa is not pinned: nothing is',
  });
});

test('pin() tells why a router cannot do it, and takes it back', async () => {
  await using world = aPlatform();
  const ports: Platform = {
    ...world.ports,
    traffic: {
      ...world.traffic,
      setPins: async (pins, within) =>
        pins.length > 1 ? { kind: 'unsupported', why: 'one header only' } : world.traffic.setPins(pins, within),
    },
  };
  await startRelease(handsOn(ports), aRequest('v1'));
  await pin(handsOn(ports), team, { ...asked, to: 'live' });

  const second = await pin(handsOn(ports), { header: 'X-Other', value: '1' }, { ...asked, to: 'live' });

  expect(second).toEqual({
    kind: 'refused',
    code: 'REFUSED',
    text: 'the router cannot pin X-Other=1: one header only',
  });
  expect(await pinsOf(ports)).toEqual(['X-Team live kim@desk a look']);
});
