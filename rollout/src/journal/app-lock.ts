/** One process drives an app. The holder renews its claim; a dead one's is free at once, a stalled one's after 30 s. */
import { lstat, lutimes } from 'node:fs/promises';
import { type Claim, claimAfter, claimPath, readClaim, release, stillStands } from './claims.ts';
import { reading, writing } from './damage.ts';
import { unlessMissing } from './files.ts';
import type { Acquired, AppLock, Lease } from './journal.ts';
import { lockLost } from './lost.ts';
import { isAlive, ownMark } from './process-mark.ts';

export type LeaseTimes = {
  readonly renewMs: number;
  /** An observer that saw no renewal for this long takes the lock. */
  readonly givenUpMs: number;
  /** A holder that could not renew for this long stops by itself, before an observer can take over. */
  readonly stopMs: number;
  /** Milliseconds of this process's own monotonic clock. */
  readonly now: () => number;
};

export const leaseTimes: LeaseTimes = {
  renewMs: 2_000,
  givenUpMs: 30_000,
  stopMs: 25_000,
  now: () => performance.now(),
};

const holderLengthMax = 200;
const triesMax = 100;

/** A stalled holder is found by asking again: each lock object remembers since when it has seen no renewal. */
export function fileAppLock(folder: string, times: LeaseTimes = leaseTimes): AppLock {
  const observer = new Observer(folder, times);
  return {
    acquire: (holder, signal) =>
      writing(`the lock "${folder}"`, signal, () => acquire(folder, times, observer, holder, signal)),
    holding: (signal) =>
      reading(`the lock "${folder}"`, signal, async () => {
        const seen = await readClaim(folder);
        if (seen.text === undefined || (await observer.isGivenUp(seen))) return undefined;
        const { holder, since } = parse(seen.text);
        const renewal = `${seen.number}/${await beatOf(seen, folder)}`;
        const end = (ending: AbortSignal) => writing(`the lock "${folder}"`, ending, () => release(seen, folder));
        return { holder, since, renewal, end };
      }),
  };
}

async function acquire(
  folder: string,
  times: LeaseTimes,
  observer: Observer,
  holder: string,
  signal: AbortSignal,
): Promise<Acquired> {
  const text = `${await ownMark()} ${Date.now()} ${holder.slice(0, holderLengthMax)}`;
  for (let tries = 0; tries < triesMax; tries++) {
    signal.throwIfAborted();
    const seen = await readClaim(folder);
    if (seen.text !== undefined && !(await observer.isGivenUp(seen))) {
      return { kind: 'busy', holder: parse(seen.text).holder };
    }
    const claim = await claimAfter(seen, folder, text);
    if (claim !== undefined) return { kind: 'held', lease: keep(claim, folder, times) };
  }
  return { kind: 'busy', holder: 'somebody who takes and gives it all the time' };
}

function parse(text: string): { mark: string; since: number; holder: string } {
  const [mark = '', since, ...holder] = text.split(' ');
  return { mark, since: Number(since), holder: holder.join(' ') };
}

/** When its holder renewed it last; 0 if it is gone. */
async function beatOf(claim: Claim, folder: string): Promise<number> {
  return (await unlessMissing(lstat(claimPath(claim, folder))))?.mtimeMs ?? 0;
}

/** Two clocks never meet: it compares the holder's last renewal with what it saw before, and counts time by its own. */
class Observer {
  readonly #folder: string;
  readonly #times: LeaseTimes;
  #last: { readonly number: number; readonly beat: number; readonly since: number } | undefined;

  constructor(folder: string, times: LeaseTimes) {
    this.#folder = folder;
    this.#times = times;
  }

  async isGivenUp(claim: Claim): Promise<boolean> {
    if (!(await isAlive(parse(claim.text ?? '').mark))) return true;
    const beat = await beatOf(claim, this.#folder);
    const now = this.#times.now();
    if (this.#last?.number !== claim.number || this.#last.beat !== beat) {
      this.#last = { number: claim.number, beat, since: now };
    }
    return now - this.#last.since >= this.#times.givenUpMs;
  }
}

function keep(claim: Claim, folder: string, times: LeaseTimes): Lease {
  const lost = new AbortController();
  let renewedAt = times.now();
  let renewing = Promise.resolve();

  const lose = (): void => {
    clearInterval(timer);
    lost.abort(lockLost(`the lock "${folder}"`));
  };
  const renew = async (): Promise<void> => {
    const begun = times.now();
    if (!(await stillStands(claim, folder))) return lose();
    await lutimes(claimPath(claim, folder), new Date(), new Date());
    renewedAt = begun;
  };
  const timer = setInterval(() => {
    if (times.now() - renewedAt >= times.stopMs) return lose();
    // A renewal that failed is tried again at the next turn, and enough of them end the lease above.
    renewing = renewing.then(renew).catch(() => {});
  }, times.renewMs);
  timer.unref();

  return {
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await renewing;
      await release(claim, folder);
    },
  };
}
