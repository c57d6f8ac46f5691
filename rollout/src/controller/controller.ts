import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf } from '../deadline.ts';
import { isUnreachable } from '../errors.ts';
import type { Instant } from '../lane.ts';
import { type Tended, tend } from './tend.ts';

/** What a controller is told by the place where the journals lie. */
export interface Board {
  /** Ends when `signal` aborts, and for no other reason. */
  news(signal: AbortSignal): AsyncIterable<BoardNews>;
  tended(app: string): Tended;
}

export type BoardNews =
  /** A new wish, or a head that somebody wrote. */
  | { readonly kind: 'app'; readonly app: string }
  /** From now on nothing is missed. Comes before news of every app, at first and after a break. */
  | { readonly kind: 'seeing' }
  /** From now on nothing is heard, until `seeing`; again when the reason is another one. */
  | { readonly kind: 'blind'; readonly why: string };

/** What a controller tells of itself, for its log and its metrics. */
export type ControllerEvent =
  | Exclude<BoardNews, { readonly kind: 'app' }>
  | { readonly kind: 'tending'; readonly app: string }
  | { readonly kind: 'rested'; readonly app: string; readonly again: Instant | undefined }
  | { readonly kind: 'failed'; readonly app: string; readonly error: unknown; readonly againMs: number };

const retryMinMs = 1_000;
const retryMaxMs = 30_000;
const timerMaxMs = 2_147_000_000;

/**
 * Tends every app of a board until `signal` aborts: at once on news, and when a warm lane is due. Between two pieces of news it asks
 * nobody anything. One app's trouble is its own.
 */
export async function runController(
  board: Board,
  tell: (event: ControllerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const carers = new Map<string, Carer>();
  for await (const news of board.news(signal)) {
    if (news.kind !== 'app') {
      tell(news); // Who is being tended stays so: each asks for itself.
      continue;
    }
    const { app } = news;
    const carer = carers.get(app) ?? startCarer(board.tended(app), tell, signal);
    carers.set(app, carer);
    carer.wake();
  }
  await Promise.all([...carers.values()].map(({ ended }) => ended));
}

type Carer = { readonly wake: () => void; readonly ended: Promise<void> };

function startCarer(tended: Tended, tell: (event: ControllerEvent) => void, signal: AbortSignal): Carer {
  let bell = new AbortController();
  const wake = () => {
    bell.abort();
    bell = new AbortController();
  };

  async function care(): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const news = bell.signal; // Before the look: news that come during it lead to another one.
      const restMs = await attempt().then(
        (again) => {
          failures = 0;
          return again === undefined ? timerMaxMs : Math.max(0, again - Date.now());
        },
        (error: unknown) => {
          // Nobody is burdened by asking a server that does not answer, and much may have to be done as soon as it does.
          const againMs = isUnreachable(error) ? retryMinMs : Math.min(retryMaxMs, retryMinMs * 2 ** failures++);
          if (!signal.aborted) tell({ kind: 'failed', app: tended.app, error, againMs });
          return againMs;
        },
      );
      await sleep(Math.min(restMs, timerMaxMs), undefined, { signal: firstOf([signal, news]) }).catch(
        () => {}, // News or the end: the loop's condition tells which.
      );
    }
  }

  async function attempt(): Promise<Instant | undefined> {
    tell({ kind: 'tending', app: tended.app });
    const { again } = await tend(tended, () => bell.signal, signal);
    tell({ kind: 'rested', app: tended.app, again });
    return again;
  }

  return { wake, ended: care() };
}
