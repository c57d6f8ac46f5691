import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Exchange } from './open-loop.ts';

/** What a client outside found when it compared all answers with what the service kept. */
export type Ledger = {
  readonly requests: number;
  readonly posts: number;
  /** POSTs that were answered 2xx and have no row: lost. Ids. */
  readonly lost: readonly string[];
  /** Ids with more than one row: done twice. */
  readonly doubled: readonly string[];
  /** POSTs without a 2xx that have a row all the same: the client was told wrong. */
  readonly untold: readonly string[];
  readonly unanswered: readonly Exchange[];
  /** Answers from 500 up, and from 400 up, by the revision that the answer named (`none`: no mark). */
  readonly failedBy: Readonly<Record<string, number>>;
};

/** Ids of users stand for ids of requests: each POST writes one rating of a user that nobody else writes. */
function ratingOf(id: string): string {
  return JSON.stringify({ items: [{ userId: id, serviceId: id, score: Number.parseInt(id.slice(0, 2), 16) % 6 }] });
}

/** What users ask, in turn: half of them read, half of them write a rating of their own. */
export function userRequest(n: number, id: string) {
  return n % 2 === 0
    ? ({ method: 'GET', path: '/api/ratings?limit=10', body: undefined } as const)
    : ({ method: 'POST', path: '/api/ratings', body: ratingOf(id) } as const);
}

/** Reads every rating through the router, page by page. @returns how many rows each request id has */
export async function readRows(
  origin: string,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): Promise<ReadonlyMap<string, number>> {
  const rows = new Map<string, number>();
  const pagesMax = 1_000;
  for (let page = 0, after = ''; page < pagesMax; page++) {
    const url = `${origin}/api/ratings?limit=1000${after === '' ? '' : `&after=${after}`}`;
    const { items } = (await read(url, headers, signal)) as { items: readonly { id: string; userId: string }[] };
    for (const { userId } of items) rows.set(userId, (rows.get(userId) ?? 0) + 1);
    const last = items.at(-1);
    if (last === undefined || items.length < 1_000) return rows;
    after = last.id;
  }
  throw new Error(`Cannot read the ratings as there are more than ${pagesMax} pages`);
}

/** Not by `fetch`, which does not let a caller name the host. */
async function read(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<unknown> {
  const sent = request(url, { headers, signal }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const text = (await answer.setEncoding('utf8').toArray()).join('');
  if (answer.statusCode !== 200) throw new Error(`Cannot read the ratings as the answer is ${answer.statusCode}`);
  return JSON.parse(text);
}

/** No answer, or one from 400 up. */
export function isFailed({ status }: Exchange): boolean {
  return status === undefined || status >= 400;
}

export function compare(exchanges: readonly Exchange[], rows: ReadonlyMap<string, number>): Ledger {
  const posts = exchanges.filter(({ method }) => method === 'POST');
  const isDone = ({ status }: Exchange) => status !== undefined && status >= 200 && status < 300;
  const failed = exchanges.filter(isFailed);
  const failedBy: Record<string, number> = {};
  for (const { revision = 'none' } of failed) failedBy[revision] = (failedBy[revision] ?? 0) + 1;
  return {
    requests: exchanges.length,
    posts: posts.length,
    lost: posts.filter((post) => isDone(post) && !rows.has(post.id)).map(({ id }) => id),
    doubled: posts.filter(({ id }) => (rows.get(id) ?? 0) > 1).map(({ id }) => id),
    untold: posts.filter((post) => !isDone(post) && rows.has(post.id)).map(({ id }) => id),
    unanswered: exchanges.filter(({ status }) => status === undefined),
    failedBy,
  };
}
