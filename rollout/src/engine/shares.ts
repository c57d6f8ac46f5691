/** The candidate's shares in one release, in whole percent: what was asked of the router, and what it confirmed. */
export class Shares {
  #confirmed = 0;
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
  confirm(share: number): boolean {
    const isOther = share !== this.#confirmed;
    this.asked = share;
    this.#confirmed = share;
    return isOther;
  }

  /** What is surely in force, though another one may be under way. */
  get least(): number {
    return Math.min(this.#confirmed, this.asked);
  }
}
