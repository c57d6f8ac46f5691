/** The candidate's shares in one release, in whole percent: what was asked of the router, and what it confirmed. */
export class Shares {
  /** From when on each was surely in force, the newest last. */
  #confirmed: readonly { readonly share: number; readonly since: number }[] = [
    { share: 0, since: Number.NEGATIVE_INFINITY },
  ];
  /** What the router had at the last look at which it answered. */
  #agreed = 0;
  asked: number;

  /** `asked`: by an earlier driver. What is in force of it the next look says: one that was interrupted has set the candidate to 0. */
  constructor(asked = 0) {
    this.asked = asked;
  }

  /** The router has this share. @returns whether it had it at the look before too */
  agree(share: number): boolean {
    const isOlder = share === this.#agreed;
    this.#agreed = share;
    return isOlder;
  }

  /** @returns whether another one was in force until then */
  confirm(share: number, since: number): boolean {
    this.asked = share;
    if (share === this.#confirmed.at(-1)?.share) return false;
    this.#confirmed = [...this.#confirmed, { share, since }];
    return true;
  }

  /** The least that was in force at any moment since then: of counts that reach back so far nobody may expect more. */
  leastSince(since: number): number {
    const inForce = this.#confirmed.filter(
      (_, n) => (this.#confirmed[n + 1]?.since ?? Number.POSITIVE_INFINITY) > since,
    );
    return Math.min(this.asked, ...inForce.map(({ share }) => share));
  }
}
