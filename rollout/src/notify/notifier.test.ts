import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { runController } from '../controller/controller.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act, pin } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { waitFor } from '../hands/wait.ts';
import { anEar, type Heard } from './ear.rig.ts';
import { newsOf } from './notice.ts';
import { openNotifier } from './notifier.ts';
import { postWebhook } from './webhook.ts';

/** What an ear is told by a notifier, and the notifier. */
function notifierTo(url: string) {
  const failures: unknown[] = [];
  const tell = (notice: Parameters<typeof newsOf>[0]) =>
    postWebhook(url, newsOf(notice, { app: 'test' }), AbortSignal.timeout(10_000));
  return { failures, ...openNotifier(tell, (error) => failures.push(error)) };
}

const told = (heard: readonly Heard[]) =>
  heard
    .map(({ body }) => JSON.parse(body) as { what: string; state: string; text: string })
    .map(({ what, state, text }) => `${what} ${state}: ${text}`);

test('a controller tells the end of each release once, and what was done by hand, whoever else waits for it', async () => {
  await using world = aPlatform();
  await using ear = await anEar(204);
  await using notifier = notifierTo(ear.url);
  const going = new AbortController();
  const board = {
    async *news(signal: AbortSignal) {
      for (; !signal.aborted; await sleep(20)) yield { kind: 'app', app: 'test' } as const;
    },
    tended: () => ({
      app: 'test',
      holder: 'controller-1',
      records: world.ports,
      emit: () => {},
      notify: () => notifier.emit,
      pace: { restMs: 30, alertMs: 20, transitMs: 10 },
      open: () => ({ ...world.ports, [Symbol.asyncDispose]: async () => {} }),
    }),
  };
  const running = runController(board, () => {}, going.signal);
  const hands = (spec = quick) => handsOn(world.ports, { driver: 'controller', spec });

  await startRelease(hands(), aRequest('v1'));
  const second = startRelease(hands({ ...quick, bakeMs: 100_000 }), aRequest('v2'));
  await isAt(world.ports, 'holding');
  const waiting = waitFor(hands(), 'ended', 20_000, 2);
  await act(hands(), 'hold', { release: 2, reason: 'lunch' });
  await act(hands(), 'rollback', { release: 2, reason: 'ticket 12' });
  await Promise.all([second, waiting]);
  going.abort();
  await running;
  await notifier[Symbol.asyncDispose]();

  expect(told(ear.heard)).toEqual([
    expect.stringMatching(/^release success: test, release: release 1 is promoted: /),
    'act success: test, act: release 2: held by kim@desk',
    'act success: test, act: release 2: rolled back by kim@desk: ticket 12',
    'release failure: test, release: release 2 was rolled back: rolled back by kim@desk: ticket 12',
  ]);
  expect(notifier.failures).toEqual([]);
}, 60_000);

test('who drives from a command line tells it; what is done to a release that has ended tells of no second end', async () => {
  await using world = aPlatform();
  await using ear = await anEar(204);
  await using notifier = notifierTo(ear.url);
  const hands = handsOn(world.ports, { emit: notifier.emit });

  await startRelease(hands, aRequest('v1'));
  await startRelease(hands, aRequest('v2'));
  await pin(hands, { header: 'x-team', value: 'qa' }, { to: 'live', release: undefined, reason: 'see' });
  await act(hands, 'rollback', { release: 2, reason: 'regret' });
  await notifier[Symbol.asyncDispose]();

  expect(told(ear.heard).filter((line) => line.startsWith('release'))).toEqual([
    expect.stringMatching(/^release success: .*release 1 is promoted/),
    expect.stringMatching(/^release success: .*release 2 is promoted/),
    expect.stringMatching(/^release failure: .*release 2 was rolled back: .*regret/),
  ]);
}, 60_000);
