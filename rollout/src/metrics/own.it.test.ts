import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Instant, instant, type Lane, lanes } from '../lane.ts';
import type { CountsFrom } from '../spec.ts';
import { difference } from './difference.ts';
import { startHook } from './hook.rig.ts';
import type { MetricsSeen } from './metrics.ts';
import { openCounts, openValue, type ReadCounts } from './own.ts';
import { startPrometheus } from './prometheus.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const now = (): Instant => instant(Math.ceil(Date.now()));

/** What a lane's process tells Prometheus when it is scraped. */
let page: { -readonly [lane in Lane]: Readonly<Record<string, number>> };
let processes: Awaited<ReturnType<typeof startHook>>;
let prometheus: Awaited<ReturnType<typeof startPrometheus>>;

beforeAll(async () => {
  processes = await startHook(() =>
    lanes
      .flatMap((lane) => Object.entries(page[lane]).map(([name, value]) => `${name}{lane="${lane}"} ${value}\n`))
      .join(''),
  );
  page = { blue: { orders: 0 }, green: { orders: 0 } };
  prometheus = await startPrometheus([processes.address]);
  const scraped = openValue({ kind: 'prometheus', url: prometheus.url, value: 'orders{lane="$(LANE)"}' });
  for (const within = signal(); (await scraped('green', within)) === undefined; ) within.throwIfAborted();
}, 180_000);
afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await processes?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  page = { blue: { orders: 1_000, lost: 10 }, green: { orders: 100 } };
});

const from = (
  changed: { readonly failures?: string; readonly total?: string; readonly url?: string } = {},
): CountsFrom => ({
  kind: 'prometheus',
  url: prometheus.url,
  failures: 'lost{lane="$(LANE)"}',
  total: 'orders{lane="$(LANE)"}',
  ...changed,
});

/** The first reading that has something to say and fits. */
async function seen(read: ReadCounts, fits: (seen: MetricsSeen) => boolean = () => true): Promise<MetricsSeen> {
  for (const within = signal(); ; within.throwIfAborted()) {
    const found = await read(lanes, now(), within);
    if (found !== undefined && fits(found)) return found;
  }
}

/** Failures and total are two questions: a scrape that comes between them is in the next reading whole. */
const orders =
  (lane: Lane, requests: number, failed = 0) =>
  ({
    lanes: {
      [lane]: { weighted },
    },
  }: MetricsSeen) =>
    weighted.requests >= requests && weighted.failed >= failed;
const counted = (requests: number, failed: number) => ({ requests, failed, refused: 0 });

describe("failures and totals of the user's own from Prometheus", () => {
  test('are what came since the first reading, a failure series that begins later included', async () => {
    const read = openCounts(from(), now());
    const before = await seen(read);
    page = { blue: { orders: 1_300, lost: 12 }, green: { orders: 200, lost: 7 } };

    const after = await seen(read, (found) => orders('blue', 300, 2)(found) && orders('green', 100, 7)(found));

    expect(difference(before, after)).toMatchObject({
      blue: { weighted: counted(300, 2) },
      green: { weighted: counted(100, 7) },
    });
  });

  test('of a process that began anew count from nothing', async () => {
    const read = openCounts(from(), now());
    const before = await seen(read);
    page = { ...page, green: { orders: 30, lost: 4 } };

    const after = await seen(read, orders('green', 30, 4));

    expect(difference(before, after)?.green.weighted).toEqual(counted(30, 4));
  });

  test('that were scraped before a new weight say nothing after it', async () => {
    await seen(openCounts(from(), now()));
    await prometheus.freeze();
    page = { ...page, green: { orders: 5_000, lost: 5_000 } }; // The old weight's, told late.
    const read = openCounts(from(), now());
    prometheus.goOn();

    const before = await seen(read);
    const told = openValue({ kind: 'prometheus', url: prometheus.url, value: 'orders{lane="$(LANE)"}' });
    for (const within = signal(); (await told('green', within)) !== 5_000; ) within.throwIfAborted();
    const after = await seen(read);

    expect(difference(before, after)?.green.weighted).toEqual(counted(0, 0));
  });

  test('are not read without a lane, never zero', async () => {
    const only = openCounts(from({ total: 'orders{lane="$(LANE)",lane!="green"}' }), now());

    await expect(only(lanes, now(), signal())).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      message: expect.stringContaining('nothing of orders{lane="green",lane!="green"} in the last 90 s'),
    });
    // Before the candidate has pods, live alone is asked for.
    for (const within = signal(); (await only(['blue'], now(), within)) === undefined; ) within.throwIfAborted();
  });

  test('of a Prometheus that does not answer or refuses the query are not read', async () => {
    const gone = openCounts(from({ url: 'http://127.0.0.1:1' }), now());
    const wrong = openCounts(from({ failures: 'lost{lane="$(LANE)",}}' }), now());

    await expect(gone(lanes, now(), signal())).rejects.toMatchObject({ code: 'METRICS_UNREACHABLE' });
    await expect(wrong(lanes, now(), signal())).rejects.toMatchObject({
      message: expect.stringContaining('parse error'),
    });
  });
});

describe('a value from Prometheus', () => {
  const value = (query: string) =>
    openValue({ kind: 'prometheus', url: prometheus.url, value: query })('blue', signal());

  test('is one number, or none', async () => {
    await seen(openCounts(from(), now()));

    expect(await value('lost{lane="$(LANE)"} / orders{lane="$(LANE)"}')).toBe(0.01);
    expect(await value('scalar(lost{lane="$(LANE)"})')).toBe(10);
    expect(await value('nothing{lane="$(LANE)"}')).toBeUndefined();
    expect(await value('orders{lane="$(LANE)"} * NaN')).toBeUndefined();
    await expect(value('{lane="$(LANE)"}')).rejects.toMatchObject({ code: 'METRICS_UNREACHABLE' });
  });
});

describe('a webhook', () => {
  const green = { total: 100, failures: 1 };
  const reading = async (answers: readonly unknown[], since = now()) => {
    let turn = 0;
    await using hook = await startHook((path) => (path === '/green' ? green : answers[turn]));
    const read = openCounts({ kind: 'webhook', url: `${hook.url}/$(LANE)` }, since);
    const found: (MetricsSeen | undefined)[] = [];
    for (; turn < answers.length; turn++) found.push(await read(lanes, now(), signal()));
    return found;
  };
  const grown = async (...answers: readonly unknown[]) => {
    const [before, after] = await reading(answers);
    return before === undefined || after === undefined ? undefined : difference(before, after)?.blue.weighted;
  };

  test('tells running totals of each lane', async () => {
    expect(await grown({ total: 10, failures: 2 }, { total: 15, failures: 3 })).toEqual(counted(5, 1));
  });

  test('whose totals fell, or whose epoch is another, says nothing of the time in between', async () => {
    expect(await grown({ total: 10, failures: 2 }, { total: 9, failures: 2 })).toBeUndefined();
    expect(await grown({ total: 10, failures: 2, epoch: 'a' }, { total: 19, failures: 2, epoch: 'b' })).toBeUndefined();
  });

  test('that tells of before a new weight says nothing', async () => {
    const since = now();

    expect(await reading([{ total: 1, failures: 0, asOf: since / 1_000 - 1 }], since)).toEqual([undefined]);
    expect(await reading([{ total: 1, failures: 0, asOf: since / 1_000 + 1 }], since)).not.toEqual([undefined]);
  });

  test.each([
    { answer: undefined, found: 'status 503' },
    { answer: 'fine', found: 'not valid JSON' },
    { answer: { total: 10 }, found: 'failures is undefined' },
    { answer: { total: -1, failures: 0 }, found: 'total is -1' },
    { answer: { total: '10', failures: 0 }, found: 'total is \\"10\\"' },
  ])('that answers $answer is not read: $found', async ({ answer, found }) => {
    await expect(reading([answer])).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      message: expect.stringContaining(found.replaceAll('\\', '')),
    });
  });

  test('that cannot be reached is not read', async () => {
    await expect(
      openValue({ kind: 'webhook', url: 'http://127.0.0.1:1/$(LANE)' })('blue', signal()),
    ).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
    });
  });

  test('may tell a value, or that there is none', async () => {
    await using hook = await startHook((path) => ({ value: path === '/blue' ? -0.5 : null }));
    const read = openValue({ kind: 'webhook', url: `${hook.url}/$(LANE)` });

    expect(await Promise.all(lanes.map((lane) => read(lane, signal())))).toEqual([-0.5, undefined]);
  });
});
