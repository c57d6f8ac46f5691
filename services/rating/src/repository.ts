/** A score that a user gave to a service. */
export type Rating = {
  readonly id: string;
  readonly userId: string;
  readonly serviceId: string;
  readonly score: number;
};

/** A user or a service: all that is known of either is a name. */
export type Named = { readonly id: string; readonly name: string };

/** The kinds of named things. */
export type Noun = 'users' | 'services';

/** Which items to list, in the order of their ids. */
export type Page = {
  /** Those only; `undefined`: all. */
  readonly ids: readonly string[] | undefined;
  /** Those behind this id; `undefined`: from the first. */
  readonly after: string | undefined;
  readonly limit: number;
};

/** What a command does to the store. */
export type Effect =
  | { readonly kind: 'addRatings'; readonly ratings: readonly Rating[] }
  | { readonly kind: 'removeRatings'; readonly ids: readonly string[] }
  | { readonly kind: 'addNamed'; readonly noun: Noun; readonly items: readonly Named[] };

/** Names a command: a message id and the subject that it came with, since a client may use one id for two requests. */
export type CommandKey = { readonly id: string; readonly subject: string };

/** The store that all workers of both lanes share. Every method throws `Unavailable` if it cannot be asked now. */
export interface RatingRepository {
  listRatings(page: Page): Promise<readonly Rating[]>;
  listNamed(noun: Noun, page: Page): Promise<readonly Named[]>;
  /**
   * Applies the effect and keeps the reply, both or neither, and once for each key, whoever asks and however often. Resolves to the
   * reply that was kept first, which is the right answer to every repeat.
   */
  apply(key: CommandKey, effect: Effect, reply: string): Promise<string>;
  /** Forgets replies kept longer than `keepMs`, a bounded number of them. Resolves to how many. */
  purge(keepMs: number): Promise<number>;
}

/** The store cannot be asked now, and later it may: the same request can be tried again. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
