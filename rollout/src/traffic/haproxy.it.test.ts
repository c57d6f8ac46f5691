import { describe, expect, test } from '@jest/globals';
import { type Pin, percent, weightsFor } from '../lane.ts';
import { type HaproxyRig, startHaproxyRig } from './haproxy.rig.ts';
import { openHaproxyTraffic } from './haproxy.ts';
import { describeTrafficRouter } from './traffic.contract.ts';

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

describeTrafficRouter(
  'haproxy',
  async () => {
    const rig = await startHaproxyRig();
    return {
      router: openHaproxyTraffic(rig.haproxy),
      send: (headers) => rig.send(headers ? { headers } : {}),
      stop: (lane) => rig.stop(lane),
      [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
    };
  },
  { standStill: 'what it says of its weights is what it does with the next request' },
);

describe('haproxy under traffic', () => {
  test('5,000 requests are split as asked at 5, 25 and 50 %, from many connections at once', async () => {
    await using rig = await startHaproxyRig();
    const router = openHaproxyTraffic(rig.haproxy);
    const lines: string[] = [];
    for (const share of [5, 25, 50]) {
      await router.setWeights(weightsFor('green', percent(share)), signal());
      const answers = await sendMany(rig, 5_000);
      const green = answers.filter(({ lane }) => lane === 'green').length;
      lines.push(`${share} %: ${green} of 5000 requests to green, ${(5_000 * share) / 100} asked`);

      expect(answers.every(({ status }) => status === 200)).toBe(true);
      expect(Math.abs(green - (5_000 * share) / 100)).toBeLessThanOrEqual(1);
    }
    process.stdout.write(`${lines.join('\n')}\n`);
  }, 90_000);

  test('no request finds nobody while the weights go from one lane to the other and back', async () => {
    await using rig = await startHaproxyRig();
    const router = openHaproxyTraffic(rig.haproxy);
    await router.setWeights(weightsFor('blue', percent(100)), signal());
    const stop = new AbortController();
    const answers = keepSending(rig, stop.signal);

    for (let turn = 0; turn < 100; turn++) {
      await router.setWeights(weightsFor(turn % 2 === 0 ? 'green' : 'blue', percent(100)), signal());
    }
    stop.abort();

    const statuses = new Set((await answers).map(({ status }) => status));
    expect(statuses).toEqual(new Set([200]));
  });

  test('a pinned request keeps its lane while the set of pins is replaced around it', async () => {
    await using rig = await startHaproxyRig();
    const router = openHaproxyTraffic(rig.haproxy);
    const kept: Pin = { header: 'headgate-probe', value: '42', lane: 'green' };
    await router.setWeights(weightsFor('blue', percent(100)), signal());
    await router.setPins([kept], signal());
    const stop = new AbortController();
    const answers = keepSending(rig, stop.signal, { 'headgate-probe': '42' });

    for (let turn = 0; turn < 50; turn++) {
      await router.setPins([{ header: 'x-variant', value: String(turn), lane: 'blue' }, kept], signal());
    }
    stop.abort();

    expect(new Set((await answers).map(({ lane }) => lane))).toEqual(new Set(['green']));
  });
});

describe('haproxy in trouble', () => {
  test('is TRAFFIC_UNREACHABLE when it has ended', async () => {
    const rig = await startHaproxyRig();
    const router = openHaproxyTraffic(rig.haproxy);
    await rig[Symbol.asyncDispose]();

    const unreachable = { code: 'TRAFFIC_UNREACHABLE', hint: expect.any(String) };
    await expect(router.setWeights(weightsFor('blue', percent(100)), signal())).rejects.toMatchObject(unreachable);
    await expect(router.setPins([], signal())).rejects.toMatchObject(unreachable);
    await expect(router.observe(signal())).rejects.toMatchObject(unreachable);
  });

  test('says TRAFFIC_WRITE_REFUSED in its own words', async () => {
    await using rig = await startHaproxyRig();
    const router = openHaproxyTraffic({ ...rig.haproxy, pinMap: '/no/such.map' });

    await expect(router.setPins([], signal())).rejects.toMatchObject({
      code: 'TRAFFIC_WRITE_REFUSED',
      message: expect.stringContaining('Unknown map identifier'),
    });
  });

  test.each([
    { what: 'weights that do not add up', command: 'set server split/blue weight 70', why: 'blue 70, green 25' },
    { what: 'a lane that is switched off', command: 'disable server split/green', why: 'switched off' },
    { what: 'a pin of somebody else', command: 'add map MAP foreign green-pinned', why: 'somebody else' },
  ])('observe() does not agree with $what', async ({ command, why }) => {
    await using rig = await startHaproxyRig();
    const router = openHaproxyTraffic(rig.haproxy);
    await router.setWeights(weightsFor('blue', percent(75)), signal());

    await rig.tell(command.replace('MAP', rig.haproxy.pinMap));

    expect(await router.observe(signal())).toEqual({ kind: 'pending', why: expect.stringContaining(why) });
  });
});

async function sendMany(rig: HaproxyRig, count: number) {
  const answers: Awaited<ReturnType<HaproxyRig['send']>>[] = [];
  await Promise.all(
    Array.from({ length: 16 }, async (_, sender) => {
      for (let n = sender; n < count; n += 16) answers.push(await rig.send());
    }),
  );
  return answers;
}

async function keepSending(rig: HaproxyRig, stop: AbortSignal, headers: Readonly<Record<string, string>> = {}) {
  const answers: Awaited<ReturnType<HaproxyRig['send']>>[] = [];
  while (!stop.aborted || answers.length < 100) answers.push(await rig.send({ headers }));
  return answers;
}
