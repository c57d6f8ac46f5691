import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { HeadgateError } from '../errors.ts';
import { startRelease } from '../hands/release.ts';
import { lockLost } from '../journal/lost.ts';
import type { Platform } from '../platform/platform.ts';
import { readHead } from './book.ts';
import type { Occurrence } from './occurrence.ts';

/** All that lies in the API server fails while it is not well: journal, wishes, router and workload, but neither counts nor queue. */
function withServer(real: Platform) {
  const server: { state: 'well' | 'refuses' | 'hangs' } = { state: 'well' };
  const behind = <T extends object>(port: T, code: 'JOURNAL_UNWRITABLE' | 'TRAFFIC_UNREACHABLE'): T =>
    new Proxy(port, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const within = args.at(-1);
          while (server.state === 'hangs' && !(within instanceof AbortSignal && within.aborted)) await sleep(5);
          if (server.state === 'well') return value.apply(target, args);
          const cause = new HeadgateError('CLUSTER_UNREACHABLE', 'Cannot ask the API server', { hint: 'wait' });
          throw new HeadgateError(code, cause.message, { hint: 'wait', cause });
        };
      },
    });
  const ports: Platform = {
    ...real,
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    journal: behind(real.journal, 'JOURNAL_UNWRITABLE'),
    wishes: behind(real.wishes, 'JOURNAL_UNWRITABLE'),
    traffic: behind(real.traffic, 'TRAFFIC_UNREACHABLE'),
    workload: behind(real.workload, 'TRAFFIC_UNREACHABLE'),
  };
  return { server, ports };
}

test.each(['refuses', 'hangs'] as const)(
  'while the API server %s a bad candidate loses its queue at once, and its weight as soon as the server is back',
  async (state) => {
    await using world = aPlatform();
    const { server, ports } = withServer(world.ports);
    const told: Occurrence[] = [];
    await startRelease(handsOn(ports), aRequest('v1'));
    const spec = { ...quick, steps: [25], bakeMs: 100_000 };
    const releasing = startRelease(handsOn(ports, { spec, emit: (one) => told.push(one) }), aRequest('v2'));
    await isAt(world.ports, 'holding');

    server.state = state;
    world.failing.add('green');
    const adopted = await sourcesAre(world.ports, ['blue', 'green'], []);

    const { release } = await readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
    expect(release?.state.phase.kind).toBe('holding'); // What cannot be recorded is not decided.
    expect(adopted).toBe(true);
    while (!told.some((one) => one.kind === 'commandFailed' && one.command === 'setWeights')) await sleep(5);
    server.state = 'well';
    expect(await releasing).toMatchObject({
      kind: 'ended',
      head: { live: 'blue', release: { state: { phase: { kind: 'rolledBack' } } } },
    });
    expect(await sourcesAre(world.ports, ['blue'], [])).toBe(true);
  },
  30_000,
);

test.each(['refuses', 'hangs'] as const)(
  'while the API server %s for longer than a lock lives, a candidate that turns bad then loses its queue, and its weight as soon as the server is back',
  async (state) => {
    await using world = aPlatform();
    const { server, ports } = withServer(world.ports);
    await startRelease(handsOn(ports), aRequest('v1'));
    const { lock, lose } = losable(ports.lock, server);
    const spec = { ...quick, steps: [25], bakeMs: 100_000 };
    const releasing = startRelease(handsOn({ ...ports, lock }, { spec }), aRequest('v2'));
    await isAt(world.ports, 'holding');

    server.state = state;
    await lose();
    await sleep(500);
    expect(await sourcesAre(world.ports, ['blue'], ['green'])).toBe(true); // A good candidate keeps its own.
    world.failing.add('green');
    expect(await sourcesAre(world.ports, ['blue', 'green'], [])).toBe(true);

    server.state = 'well';
    expect(await releasing).toMatchObject({
      kind: 'ended',
      head: { live: 'blue', release: { state: { phase: { kind: 'rolledBack', reason: { kind: 'guard' } } } } },
    });
  },
  30_000,
);

test('whoever lost its lock leaves the queue alone once another driver has claimed it', async () => {
  await using world = aPlatform();
  const { server, ports } = withServer(world.ports);
  await startRelease(handsOn(ports), aRequest('v1'));
  const { lock, lose } = losable(ports.lock, server);
  const going = new AbortController();
  const spec = { ...quick, steps: [25], bakeMs: 100_000 };
  const hands = handsOn({ ...ports, lock }, { spec, signal: going.signal });
  const releasing = startRelease(hands, aRequest('v2')).catch((error: Error) => error);
  await isAt(world.ports, 'holding');

  server.state = 'hangs';
  await lose();
  await world.ports.queue?.claim(99, AbortSignal.timeout(1_000));
  world.failing.add('green');
  await sleep(3_000);

  expect(await sourcesAre(world.ports, ['blue'], ['green'])).toBe(true);
  going.abort();
  await releasing;
}, 30_000);

/** A lock that runs out when it is told to, and is not taken while its server is away. */
function losable(lock: Platform['lock'], server: { readonly state: string }) {
  let lose = async () => {};
  return {
    lose: () => lose(),
    lock: {
      ...lock,
      async acquire(holder: string, signal: AbortSignal): ReturnType<Platform['lock']['acquire']> {
        if (server.state !== 'well') throw new HeadgateError('JOURNAL_UNREADABLE', 'Cannot ask', { hint: 'wait' });
        const acquired = await lock.acquire(holder, signal);
        if (acquired.kind !== 'held') return acquired;
        const { lease } = acquired;
        const lost = new AbortController();
        lose = async () => {
          lost.abort(lockLost('the lock'));
          await lease[Symbol.asyncDispose]();
        };
        return { kind: 'held', lease: { ...lease, lost: lost.signal } };
      },
    },
  };
}

test('a write that hangs keeps nobody from a candidate that turns bad', async () => {
  await using world = aPlatform();
  const real = world.ports.workload;
  const workload: Platform['workload'] = {
    ...real,
    observe: async (...args) => ({ ...(await real.observe(...args)), autoscaler: 'free' }),
    keep: (_lane, _replicas, signal) => (hangs ? sleep(60_000, undefined, { signal }) : Promise.resolve()),
  };
  let hangs = true;
  const ports: Platform = { ...world.ports, [Symbol.asyncDispose]: async () => {}, workload };
  await startRelease(handsOn(ports), aRequest('v1'));
  const spec = { ...quick, steps: [25], bakeMs: 100_000 };
  const releasing = startRelease(handsOn(ports, { spec }), aRequest('v2'));
  await isAt(world.ports, 'holding');

  const failsFrom = performance.now();
  world.failing.add('green');

  await isAt(world.ports, 'rollingBack');
  expect(performance.now() - failsFrom).toBeLessThan(15_000); // Two or three looks, where each such write would take 10 s of them.
  hangs = false;
  expect(await releasing).toMatchObject({ head: { release: { state: { phase: { kind: 'rolledBack' } } } } });
}, 30_000);

test('wishes that cannot be read make a look no half second late', async () => {
  await using world = aPlatform();
  let hangs = false;
  const wishes: Platform['wishes'] = {
    ...world.ports.wishes,
    read: (signal) => (hangs ? sleep(60_000, [], { signal }) : world.ports.wishes.read(signal)),
  };
  const ports: Platform = { ...world.ports, [Symbol.asyncDispose]: async () => {}, wishes };
  await startRelease(handsOn(ports), aRequest('v1'));
  const looks: number[] = [];
  const emit = ({ kind }: Occurrence) => void (kind === 'looked' && hangs && looks.push(performance.now()));
  const spec = { ...quick, steps: [25], bakeMs: 100_000 };
  const releasing = startRelease(handsOn(ports, { spec, emit }), aRequest('v2'));
  await isAt(world.ports, 'holding');

  hangs = true;
  while (looks.length < 12) await sleep(20);

  hangs = false;
  world.failing.add('green');
  expect(await releasing).toMatchObject({ head: { release: { state: { phase: { kind: 'rolledBack' } } } } });
  const gaps = looks.slice(1, 12).map((at, i) => at - (looks[i] ?? at));
  expect(gaps.toSorted((a, b) => a - b)[5]).toBeLessThan(400);
}, 30_000);

test('after a look that waited for the API server the next one comes at once, not after a rest', async () => {
  await using world = aPlatform();
  const { server, ports } = withServer(world.ports);
  await startRelease(handsOn(ports), aRequest('v1'));
  const told: Occurrence[] = [];
  const pace = { restMs: 7_000, alertMs: 1_000, transitMs: 10 };
  const spec = { ...quick, steps: [25], bakeMs: 100_000 };
  const releasing = startRelease(handsOn(ports, { spec, pace, emit: (one) => told.push(one) }), aRequest('v2'));
  await isAt(world.ports, 'holding');

  server.state = 'hangs';
  const unseenAt = () => told.find((one) => one.kind === 'unseen' && one.port === 'traffic')?.at;
  while (unseenAt() === undefined) await sleep(5);
  world.failing.add('green');
  const adopted = await sourcesAre(world.ports, ['blue', 'green'], []); // Waits for 5 s.

  server.state = 'well';
  await releasing;
  expect(adopted).toBe(true);
  const waited = unseenAt() ?? Number.NaN;
  const next = told.find((one) => one.kind === 'looked' && one.at > waited)?.at ?? Number.NaN;
  expect(next - waited).toBeLessThan(1_600); // It waited for a second, which is as long as there would have been a rest.
}, 30_000);

async function sourcesAre({ queue }: Platform, blue: readonly string[], green: readonly string[]): Promise<boolean> {
  for (const end = Date.now() + 5_000; Date.now() < end; await sleep(10)) {
    const [one, other] = await Promise.all(
      (['blue', 'green'] as const).map((lane) => queue?.observe(lane, AbortSignal.timeout(1_000))),
    );
    if (JSON.stringify([one?.sources, other?.sources]) === JSON.stringify([blue, green])) return true;
  }
  return false;
}
