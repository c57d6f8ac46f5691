import { setTimeout as sleep } from 'node:timers/promises';

/** Requests at a fixed pace, whether or not the answers keep up. */
export interface Load {
  /** Resolves when so many have been sent. */
  untilSent(count: number): Promise<void>;
  /** Sends no more, and gives what became of each once all are answered. Rejects as `send` did. */
  stop(): Promise<readonly number[]>;
}

const perSecond = 200;
/** A load that nobody stops ends by itself. */
const sentMax = 4_000;

/** `send` gives the status of one request, 0 for none. */
export function startLoad(send: () => Promise<number>, signal: AbortSignal): Load {
  const stopping = new AbortController();
  const answers: Promise<number>[] = [];
  const marks = new Map<number, () => void>();
  const sending = (async () => {
    const start = performance.now();
    while (!stopping.signal.aborted && answers.length < sentMax) {
      const due = Math.floor(((performance.now() - start) * perSecond) / 1_000) + 1;
      while (answers.length < due) {
        const answer = send();
        answer.catch(() => {}); // Told by `stop`; until then nobody waits for it, and what nobody waits for ends the process.
        answers.push(answer);
        marks.get(answers.length)?.();
      }
      await sleep(1_000 / perSecond, undefined, { signal });
    }
  })();
  sending.catch(() => {}); // An abort is told by `stop`, and by whoever waits with the same signal.
  return {
    untilSent: (count) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        if (answers.length >= count) resolve();
        else marks.set(count, resolve);
      }),
    async stop() {
      stopping.abort();
      await sending;
      return Promise.all(answers);
    },
  };
}

/** Statuses that are not 2xx, counted, e.g. `12 of 200 requests got 503`. */
export function failuresOf(statuses: readonly number[]): string[] {
  const counts = new Map<number, number>();
  for (const status of statuses) if (status < 200 || status > 299) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(
    ([status, count]) => `${count} of ${statuses.length} requests got ${status === 0 ? 'no answer' : status}`,
  );
}
