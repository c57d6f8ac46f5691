import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { repository } from './commands.ts';

/** How much of a part is played. */
export type Scope = {
  /** How often each case is, where once says too little. */
  readonly runs: number;
  readonly share: Share;
};

/** The `at`-th (from 1) of `of` shares. A part whose cases take too long for every commit plays one of them; all shares together are the whole. */
export type Share = { readonly at: number; readonly of: number };

/**
 * `3/8` is the third of eight shares, `8` the one of eight that belongs to the commit which is checked out, another one in each place.
 *
 * @throws RangeError for anything else
 */
export function parseShare(text: string, place: string): Share {
  const [, at, of] = /^(?:(\d+)\/)?(\d+)$/.exec(text) ?? [];
  const share = { at: Number(at ?? 1 + (hashOfCommit(place) % Number(of))), of: Number(of) };
  if (share.at >= 1 && share.at <= share.of) return share;
  throw new RangeError(
    `Cannot play a share as it must be <n>, or <i>/<n> with i from 1 to n: current value is "${text}"`,
  );
}

/** Where there are more shares than cases, several shares have the same one. */
export function casesOf<T>(all: readonly T[], { at, of }: Share): readonly T[] {
  const shares = Math.min(of, all.length);
  return all.filter((_, i) => i % shares === (at - 1) % shares);
}

function hashOfCommit(place: string): number {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repository, encoding: 'utf8' }).trim();
  return createHash('sha256').update(`${commit} ${place}`).digest().readUInt32BE();
}
