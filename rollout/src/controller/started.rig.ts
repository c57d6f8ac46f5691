import { setTimeout as sleep } from 'node:timers/promises';
import { readHead } from '../engine/book.ts';
import type { Pace } from '../engine.ts';
import type { Platform } from '../platform/platform.ts';
import type { Head } from '../policy/release.ts';
import { type Board, runController } from './controller.ts';
import type { Tended } from './tend.ts';

const running: { readonly told: AbortController; readonly ended: Promise<void> }[] = [];

type Rest = { readonly pace: Pace; readonly news: Board['news']; readonly open: Tended['open'] };

/** A controller of one app in memory. News is a clock here: who hears of what is the board's business, not the controller's. */
export function startController(ports: Platform, holder = 'controller-1', { pace, news, open }: Partial<Rest> = {}) {
  const told = new AbortController();
  const board: Board = {
    async *news(signal) {
      if (news !== undefined) return yield* news(signal);
      for (; !signal.aborted; await sleep(20)) yield { kind: 'app', app: 'test' };
    },
    tended: () => ({
      app: 'test',
      holder,
      records: ports,
      emit: () => {},
      notify: () => () => {},
      pace: pace ?? { restMs: 30, alertMs: 20, transitMs: 10 },
      open: open ?? (() => ({ ...ports, [Symbol.asyncDispose]: async () => {} })),
    }),
  };
  const ended = runController(board, () => {}, told.signal);
  running.push({ told, ended });
  return { stop: () => told.abort(), ended };
}

/** For after each test. */
export async function stopControllers(): Promise<void> {
  for (const { told } of running) told.abort();
  await Promise.all(running.splice(0).map(({ ended }) => ended));
}

/** Waits until a release waits for the running one. */
export async function isWaiting(ports: Platform): Promise<Head> {
  for (;;) {
    const head = await readHead(ports.journal, 'test', AbortSignal.timeout(1_000));
    if (head.waiting !== undefined) return head;
    await sleep(10);
  }
}
