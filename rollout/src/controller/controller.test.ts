import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, isOpen, quick } from '../engine.rig.ts';
import { act } from '../hands/act.ts';
import type { Handled } from '../hands/hands.ts';
import { handOver, startRelease } from '../hands/release.ts';
import { waitFor } from '../hands/wait.ts';
import { percent, type Weights } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { isWaiting, startController, stopControllers } from './started.rig.ts';

async function endOf(handled: Promise<Handled>): Promise<string> {
  const ended = await handled;
  if (ended.kind !== 'ended') return ended.kind;
  return `${ended.release} ${ended.head.history.find(({ id }) => id === ended.release)?.outcome}`;
}

const controlled = { driver: 'controller' } as const;

afterEach(stopControllers);

describe('runController()', () => {
  test('drives what others wish: releases, promotes a good version, rolls a bad one back', async () => {
    await using world = aPlatform();
    startController(world.ports);
    const hands = handsOn(world.ports, controlled);

    const first = await startRelease(hands, aRequest('v1'));
    const second = await startRelease(hands, aRequest('v2'));
    world.failing.add('blue');
    const third = await startRelease(hands, aRequest('v3'));

    expect([first, second, third].map(({ kind }) => kind)).toEqual(['ended', 'ended', 'ended']);
    const head = await readHead(world.ports.journal, 'test', hands.signal);
    expect(head.history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'rolledBack']);
    expect(await startRelease(hands, aRequest('v3'))).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
    expect(await startRelease(hands, aRequest('v2'))).toMatchObject({ kind: 'nothing' });
  }, 60_000);

  test('a wish that comes in the midst of a look is heard by the next one, which comes at once', async () => {
    await using world = aPlatform();
    const spec = { ...quick, bakeMs: 100_000 };
    const { workload } = world.ports;
    const news = new EventTarget();
    const ofApp = { kind: 'app', app: 'test' } as const;
    const ring = () => news.dispatchEvent(new Event('news'));
    const wishes: Platform['wishes'] = {
      ...world.ports.wishes,
      add: (wish, signal) => world.ports.wishes.add(wish, signal).finally(ring),
    };
    const told = new AbortController();
    const hands = handsOn({ ...world.ports, wishes }, { ...controlled, spec, signal: told.signal });
    let duringLook = async () => {};
    const ports: Platform = {
      ...world.ports,
      workload: {
        ...workload,
        async observe(lane, signal) {
          const act = duringLook;
          duringLook = async () => {};
          await sleep(50); // The look has heard its wishes by then.
          await act();
          return workload.observe(lane, signal);
        },
      },
    };
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const pace = { restMs: 30_000, alertMs: 30_000, transitMs: 10 };
    startController(ports, 'controller-1', {
      pace,
      async *news(signal) {
        for (yield ofApp; !signal.aborted; yield ofApp) await once(news, 'news', { signal }).catch(() => {});
      },
    });
    void startRelease(hands, aRequest('v2')).catch(() => {});
    await isAt(world.ports, 'holding');
    let laid = '';
    const isLaid = new Promise<void>((resolve) => {
      duringLook = async () => {
        const act = { kind: 'hold', release: 2, reason: 'wait', step: null };
        laid = await wishes.add({ act, actor: 'kim', at: Date.now() }, hands.signal);
        resolve();
      };
    });
    ring();
    await isLaid;
    const asked = performance.now();

    while (!(await readHead(world.ports.journal, 'test', hands.signal)).answers.some(({ id }) => id === laid)) {
      expect(performance.now() - asked).toBeLessThan(5_000);
      await sleep(10);
    }
    told.abort();
  }, 60_000);

  test('takes orders of one revision for one release, whether they come at once, while it runs or while it waits', async () => {
    await using world = aPlatform();
    const hands = handsOn(world.ports, controlled);
    const order = (version: string) => startRelease(hands, aRequest(version));
    const atOnce = [order('v1'), order('v1')];
    while ((await world.ports.wishes.read(hands.signal)).length < 2) await sleep(5);
    startController(world.ports);
    expect(await Promise.all(atOnce)).toMatchObject([{ kind: 'ended' }, { kind: 'ended' }]);

    const second = startRelease(
      handsOn(world.ports, { ...controlled, spec: { ...quick, bakeMs: 100_000 } }),
      aRequest('v2'),
    );
    await isAt(world.ports, 'holding');
    const follows = order('v2');
    const third = order('v3');
    await isWaiting(world.ports);
    const joins = order('v3');
    while ((await readHead(world.ports.journal, 'test', hands.signal)).waiting?.joined === undefined) await sleep(5);
    await act(hands, 'rollback', { release: 2, reason: 'no' });

    expect(await Promise.all([second, follows].map(endOf))).toEqual(['2 rolledBack', '2 rolledBack']);
    expect(await Promise.all([third, joins].map(endOf))).toEqual(['3 promoted', '3 promoted']);
  }, 60_000);

  test('is left alone with a release that was handed over, and sees it to its end', async () => {
    await using world = aPlatform();
    startController(world.ports);
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const hands = handsOn(world.ports, { ...controlled, spec: { ...quick, bakeMs: 1_500 } });

    const handed = await handOver(hands, aRequest('v2'));
    const { release } = await readHead(world.ports.journal, 'test', hands.signal);
    const again = await handOver(hands, aRequest('v2'));
    const ended = await waitFor(hands, 'ended', 30_000, 2);

    expect(handed).toMatchObject({ kind: 'begun', release: 2 });
    expect(release).toMatchObject({ id: 2, state: { live: 'blue' } });
    expect(again).toMatchObject({ kind: 'begun', release: 2 });
    expect(ended).toMatchObject({ kind: 'ended', release: 2, head: { live: 'green' } });
    expect(await handOver(hands, aRequest('v2'))).toMatchObject({ kind: 'nothing' });
  }, 60_000);

  test('queues one order behind the running release, the newest, and goes on with it by itself', async () => {
    await using world = aPlatform();
    startController(world.ports);
    const slow = { ...quick, bakeMs: 100_000 };
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const second = startRelease(handsOn(world.ports, { ...controlled, spec: slow }), aRequest('v2'));
    await isAt(world.ports, 'holding');
    const third = startRelease(handsOn(world.ports, controlled), aRequest('v3'));
    await isWaiting(world.ports);
    const fourth = startRelease(handsOn(world.ports, controlled), aRequest('v4'));

    expect(await third).toMatchObject({ kind: 'superseded' });
    expect(await act(handsOn(world.ports, controlled), 'rollback', { release: 2, reason: 'no' })).toMatchObject({
      kind: 'done',
    });
    expect(await second).toMatchObject({ kind: 'ended' });
    expect(await fourth).toMatchObject({ kind: 'ended', head: { release: { id: 3 } } });
  }, 60_000);

  test('hears of no order that gives a lane in use another queue', async () => {
    await using world = aPlatform();
    startController(world.ports);
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const hands = handsOn(world.ports, controlled);
    const existing = { stream: 'requests', consumers: {} };
    const queue = { url: 'nats://nats:4222', adopt: 'bind', existing } as const;

    const asked = await startRelease({ ...hands, spec: { ...hands.spec, queue } }, aRequest('v2'));

    expect(asked).toMatchObject({ kind: 'refused', code: 'REFUSED' });
    expect((await readHead(world.ports.journal, 'test', hands.signal)).nextRelease).toBe(2);
  });

  test('leaves its release to another controller when it is told to go: that one goes on from the same step, and no weight moves', async () => {
    await using world = aPlatform();
    const before = startController(world.ports, 'controller-1');
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const slow = { ...quick, steps: [percent(10), percent(50)], bakeMs: 100_000 };
    const told = new AbortController();
    const hands = handsOn(world.ports, { ...controlled, spec: slow, signal: told.signal });
    void startRelease(hands, aRequest('v2')).catch(() => {}); // It is told to go below.
    await isAt(world.ports, 'holding');
    await act(handsOn(world.ports, controlled), 'step', { release: 2, reason: 'try' });
    await isOpen(world.ports, 'green', 50);
    await isAt(world.ports, 'holding');
    const left = await readHead(world.ports.journal, 'test', hands.signal);
    const written: Weights[] = [];
    const traffic: Platform['traffic'] = {
      ...world.traffic,
      setWeights(weights, signal) {
        written.push(weights);
        return world.traffic.setWeights(weights, signal);
      },
    };
    startController({ ...world.ports, traffic }, 'controller-2');
    await sleep(50); // It waits for the lock.

    const begun = performance.now();
    before.stop();
    await before.ended;
    const tookMs = performance.now() - begun;

    const holding = await world.ports.lock.holding(hands.signal);
    const next = await readHead(world.ports.journal, 'test', hands.signal);
    expect(holding?.holder).toBe('controller-2');
    expect(next.release?.state).toEqual(left.release?.state);
    expect(next.release?.state.phase).toMatchObject({ kind: 'holding', step: 1 });
    expect(written).toEqual([]);
    expect(tookMs).toBeLessThan(4_000); // Nothing was waited for but the other one.
    const back = await act(handsOn(world.ports, controlled), 'rollback', { release: 2, reason: 'enough' });
    expect(back).toMatchObject({ kind: 'done' });
    told.abort();
  }, 60_000);

  test('takes the lock again and leaves the candidate at 0 when nobody drives on, as when all are told to go; a later one goes on', async () => {
    await using world = aPlatform();
    const before = startController(world.ports);
    const other = startController(world.ports, 'controller-2');
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const slow = { ...quick, bakeMs: 800 };
    const release = startRelease(handsOn(world.ports, { ...controlled, spec: slow }), aRequest('v2'));
    await isAt(world.ports, 'holding');

    before.stop();
    other.stop();
    await Promise.all([before.ended, other.ended]);
    await isOpen(world.ports, 'green', 0);
    const left = await readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
    expect(left.release?.state.phase).toMatchObject({ kind: 'interrupted' });
    startController(world.ports, 'controller-3');

    expect(await release).toMatchObject({ kind: 'ended', head: { live: 'green' } });
  }, 60_000);

  test('is one driver, however many controllers run', async () => {
    await using world = aPlatform();
    startController(world.ports, 'controller-1');
    startController(world.ports, 'controller-2');

    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    await startRelease(handsOn(world.ports, controlled), aRequest('v2'));

    const { history } = await readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
    expect(history.map(({ id, outcome }) => [id, outcome])).toEqual([
      [1, 'promoted'],
      [2, 'promoted'],
    ]);
  }, 60_000);

  test('is not needed for a rollback: the person who asks drives when nobody answers', async () => {
    await using world = aPlatform();
    const gone = startController(world.ports);
    await startRelease(handsOn(world.ports, controlled), aRequest('v1'));
    const slow = { ...quick, bakeMs: 100_000 };
    const told = new AbortController();
    void startRelease(handsOn(world.ports, { ...controlled, spec: slow, signal: told.signal }), aRequest('v2')).catch(
      () => {},
    ); // It is told to go below.
    await isAt(world.ports, 'holding');
    gone.stop();
    await gone.ended;

    const back = await act(handsOn(world.ports, controlled), 'rollback', { release: 2, reason: 'enough' });

    expect(back).toMatchObject({ kind: 'ended', head: { release: { state: { phase: { kind: 'rolledBack' } } } } });
    told.abort();
  }, 60_000);
});
