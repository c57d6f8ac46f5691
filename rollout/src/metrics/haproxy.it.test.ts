import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Lane, lanes, percent, weightsFor } from '../lane.ts';
import { type HaproxyRig, type SendOptions, startHaproxyRig } from '../traffic/haproxy.rig.ts';
import { openHaproxyTraffic } from '../traffic/haproxy.ts';
import { difference } from './difference.ts';
import { openHaproxyMetrics } from './haproxy.ts';
import { describeMetrics } from './metrics.contract.ts';
import type { LaneTotals, Metrics, MetricsSeen, Totals } from './metrics.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const pinTo = (lane: Lane): Record<string, string> => ({ 'x-lane': lane });

/** HAProxy closes its books a moment after the client has its answer or has left. */
async function growth(metrics: Metrics, before: MetricsSeen, lane: Lane, way: keyof LaneTotals) {
  for (const within = signal(); ; within.throwIfAborted()) {
    const counts = difference(before, await metrics.observe(within))!;
    if (counts[lane][way].requests > 0) return counts;
  }
}

/** Blue by weight, either lane by pin. */
async function startPinnedRig(): Promise<HaproxyRig> {
  const rig = await startHaproxyRig();
  const traffic = openHaproxyTraffic(rig.haproxy);
  await traffic.setPins(
    lanes.map((lane) => ({ header: 'x-lane', value: lane, lane })),
    signal(),
  );
  await traffic.setWeights(weightsFor('blue', percent(100)), signal());
  return rig;
}

describeMetrics('haproxy', async () => {
  const rig = await startPinnedRig();
  const traffic = openHaproxyTraffic(rig.haproxy);
  const paths = { passed: '/', failed: '/500', refused: '/404' };
  const metrics = openHaproxyMetrics(rig.haproxy);
  return {
    metrics,
    async request(lane, way, outcome) {
      const before = await metrics.observe(signal());
      await traffic.setWeights(weightsFor(lane, percent(100)), signal());
      await rig.send({ path: paths[outcome], headers: way === 'pinned' ? pinTo(lane) : {} });
      await growth(metrics, before, lane, way);
    },
    restart: () => rig.restart(),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
});

describe('what HAProxy counts', () => {
  const passed: Totals = { requests: 1, failed: 0, refused: 0 };
  const failed: Totals = { requests: 1, failed: 1, refused: 0 };
  const refused: Totals = { requests: 1, failed: 0, refused: 1 };
  const none: Totals = { requests: 0, failed: 0, refused: 0 };
  let rig: HaproxyRig;
  let metrics: Metrics;

  beforeAll(async () => {
    rig = await startPinnedRig();
    metrics = openHaproxyMetrics(rig.haproxy);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const observe = () => metrics.observe(signal());

  /** What one request adds to blue, and its answer. */
  async function counted(way: keyof LaneTotals, options: SendOptions = {}) {
    const before = await observe();
    const answer = await rig
      .send({ ...options, headers: way === 'pinned' ? pinTo('blue') : {} })
      .catch(() => undefined);
    const counts = await growth(metrics, before, 'blue', way);
    return { answer, counts: counts.blue[way] };
  }

  const kinds = [
    { what: 'a redirect', path: '/302', counts: passed },
    { what: 'an error of the service', path: '/503', counts: failed },
    { what: 'a connection closed without an answer', path: '/close', counts: failed },
    { what: 'an answer cut short', path: '/cut', counts: failed },
    { what: 'a request for nothing that exists', path: '/404', counts: refused },
  ];
  const cases = kinds.flatMap((kind) =>
    (['weighted', 'pinned'] as const).flatMap((way) => ['GET', 'POST'].map((method) => ({ ...kind, way, method }))),
  );
  test.each(cases)('$what ($way, $method) is one request, on fresh and on kept connections', async (one) => {
    await counted(one.way);
    expect((await counted(one.way, one)).counts).toEqual(one.counts);
    expect((await counted(one.way, one)).counts).toEqual(one.counts);
  });

  test('a client that leaves before its answer is refused', async () => {
    const leave = new AbortController();

    const leaving = counted('weighted', { path: '/hang', signal: leave.signal });
    await untilBusy('lane-blue');
    leave.abort();

    expect((await leaving).counts).toEqual(refused);
  });

  test.each(['weighted', 'pinned'] as const)(
    'a %s request that its server breaks off is answered by its lane',
    async (way) => {
      await counted(way);

      const { answer } = await counted(way, { path: '/close', method: 'POST' });

      expect(answer).toEqual({ status: 502, lane: 'blue' });
    },
  );

  test('a request in flight is counted when it is over', async () => {
    const before = await observe();
    const leave = new AbortController();
    const answer = rig.send({ path: '/hang', signal: leave.signal }).catch(() => 'left');
    await untilBusy('lane-blue');

    const during = difference(before, await observe())!.blue.weighted;
    leave.abort();

    expect(during.requests).toBe(0);
    expect(await answer).toBe('left');
    expect((await growth(metrics, before, 'blue', 'weighted')).blue.weighted).toEqual(refused);
  });

  async function untilBusy(backend: string): Promise<void> {
    const sessionsNow = new RegExp(`^${backend},BACKEND,\\d+,\\d+,1,`, 'm');
    for (const within = signal(); !sessionsNow.test(await rig.tell('show stat')); ) within.throwIfAborted();
  }

  test('a lane without a server fails under its own name, and the other lane counts nothing', async () => {
    await using dead = await startPinnedRig();
    await dead.stop('blue');
    const counter = openHaproxyMetrics(dead.haproxy);
    const before = await counter.observe(signal());

    const answer = await dead.send();

    expect(answer).toEqual({ status: 503, lane: 'blue' });
    const counts = await growth(counter, before, 'blue', 'weighted');
    expect([counts.blue.weighted, counts.green.weighted]).toEqual([failed, none]);
  });

  test('HAProxy gone is METRICS_UNREACHABLE', async () => {
    const gone = await startHaproxyRig();
    await gone[Symbol.asyncDispose]();

    await expect(openHaproxyMetrics(gone.haproxy).observe(signal())).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      hint: expect.any(String),
    });
  });
});
