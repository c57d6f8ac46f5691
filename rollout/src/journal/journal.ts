/** A value that JSON keeps exactly. What the journal stores is the policy's business; the journal keeps it whole. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** `version` names the stored state for the next compare-and-swap. */
export type Stored = { readonly head: Json; readonly version: string };

export type Written = { readonly kind: 'written'; readonly version: string } | { readonly kind: 'conflict' };

/** The record of one app: a head that is swapped whole, and evidence that only grows. */
export interface Journal {
  /** `undefined` before the first write. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
  read(signal: AbortSignal): Promise<Stored | undefined>;
  /** Durable when it resolves. `expected` is the version read before, `undefined` for the first write. @throws {HeadgateError} `JOURNAL_UNWRITABLE` */
  write(head: Json, expected: string | undefined, signal: AbortSignal): Promise<Written>;
  /** Durable when it resolves, all entries or none. @throws {HeadgateError} `JOURNAL_UNWRITABLE` */
  appendEvidence(release: number, entries: readonly Json[], signal: AbortSignal): Promise<void>;
  /** In the order they were appended; the last ten releases are kept. */
  readEvidence(release: number, signal: AbortSignal): Promise<readonly Json[]>;
}

/** What a person or CI asks of whoever drives. */
export type Wish = {
  /** Unique; made by the wish box. */
  readonly id: string;
  readonly act: Json;
  /** `user@host`, `actions/<run>/<attempt>` or `jenkins/<job>/<n>`. */
  readonly actor: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

/** Wishes lie here until the driver has journalled them. */
export interface WishBox {
  add(wish: Omit<Wish, 'id'>, signal: AbortSignal): Promise<string>;
  /** Oldest first. */
  read(signal: AbortSignal): Promise<readonly Wish[]>;
  remove(ids: readonly string[], signal: AbortSignal): Promise<void>;
}

export type Acquired =
  | { readonly kind: 'held'; readonly lease: Lease }
  | { readonly kind: 'busy'; readonly holder: string };

/** Renews itself until released. `lost` aborts when somebody else may drive: stop before the next write. */
export interface Lease extends AsyncDisposable {
  readonly lost: AbortSignal;
}

/** That somebody holds the lock, as seen once. */
export interface Holding {
  readonly holder: string;
  /** Milliseconds since the epoch, by the holder's clock. */
  readonly since: number;
  /** Another text after each renewal. */
  readonly renewal: string;
  /** Frees the lock of this holding and of no other: its driver stops before the next write. False if it was over. @throws {HeadgateError} `JOURNAL_UNWRITABLE` */
  end(signal: AbortSignal): Promise<boolean>;
}

/** One lock per app, held only while somebody drives. */
export interface AppLock {
  acquire(holder: string, signal: AbortSignal): Promise<Acquired>;
  /** Who drives now; `undefined` for nobody, or nobody who renews. */
  holding(signal: AbortSignal): Promise<Holding | undefined>;
}

/** The three that lie in one place. */
export type Records = { readonly journal: Journal; readonly wishes: WishBox; readonly lock: AppLock };
