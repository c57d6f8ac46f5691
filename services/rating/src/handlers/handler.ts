import { type Checks, ITEMS_MAX } from '../check.ts';
import type { Reply } from '../reply.ts';
import type { Page, RatingRepository } from '../repository.ts';

/** A request as a handler sees it. `id` names the command: a repeat of it has the same. */
export type Asked = {
  readonly id: string;
  readonly subject: string;
  readonly body: unknown;
  readonly query: Readonly<Record<string, unknown>>;
};

/** Answers one subject. @throws {Unavailable} if the store cannot be asked now: the message comes again */
export type Handler = (asked: Asked, store: RatingRepository) => Promise<Reply>;

const LIMIT_DEFAULT = 100;

/** `ids`, `after` and `limit` of a list. */
export function pageOf({ query, body }: Asked, checks: Checks): Page {
  const { after, limit } = query;
  return {
    ids: checks.ids(query, body),
    after: after === undefined ? undefined : checks.uuid('after', after),
    limit: limit === undefined ? LIMIT_DEFAULT : checks.wholeText('limit', limit, { min: 1, max: ITEMS_MAX }),
  };
}
