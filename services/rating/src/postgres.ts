import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError, Pool, type QueryConfig } from 'pg';
import type { DatabaseConfig } from './config.ts';
import { type Log, sparing, wordsOf } from './log.ts';
import type { Presence } from './presence.ts';
import {
  type CommandKey,
  type Effect,
  type Named,
  type Noun,
  type Page,
  type Rating,
  type RatingRepository,
  Unavailable,
} from './repository.ts';
import { SCHEMA_LOCK, schema } from './schema.ts';

/** A statement ends before a stopping worker is killed. */
const STATEMENT_MAX_MS = 3_000;
/** For a server that does not answer at all. */
const ANSWER_MAX_MS = 4_000;
/** Until a connection is there, or free. */
const CONNECTION_MAX_MS = 2_000;
const RETRY_MS = 500;
const ASK_EVERY_MS = 1_000;
const ERROR_LOG_MS = 10_000;
const PURGE_MAX = 5_000;

/** SQLSTATE classes that mean "not now": connection, standby, conflict, resources, lock, operator, system. Others are our mistakes. */
const passing = /^(08|25006|40|53|55|57|58)/;

/** `RatingRepository` on Postgres. `presence` follows what its answers show. */
export class Postgres implements RatingRepository {
  readonly #pool: Pool;
  readonly #presence: Presence;
  readonly #logError: Log;

  constructor({ url, connectionsMax }: DatabaseConfig, { log, presence }: { log: Log; presence: Presence }) {
    this.#presence = presence;
    this.#logError = sparing(log, ERROR_LOG_MS);
    this.#pool = new Pool({
      connectionString: url,
      max: connectionsMax,
      connectionTimeoutMillis: CONNECTION_MAX_MS,
      statement_timeout: STATEMENT_MAX_MS,
      query_timeout: ANSWER_MAX_MS,
      keepAlive: true,
    });
    // An idle connection that breaks is no failure of a request; unheard, it would end the process.
    this.#pool.on('error', (error) => this.#logError('database-error', { error: wordsOf(error) }));
  }

  /** Makes the schema, however long it takes until the database is there; then asks every second whether it still is. */
  async keep(prepared: () => void, signal: AbortSignal): Promise<void> {
    for (let isPrepared = false; !signal.aborted; ) {
      try {
        if (isPrepared) await this.#query({ text: 'select 1' });
        else await this.#prepare();
        if (!isPrepared) prepared();
        isPrepared = true;
      } catch (error) {
        this.#presence.down();
        this.#logError('database-error', { error: wordsOf(error) });
      }
      // Aborted: the loop's condition ends it.
      await sleep(isPrepared ? ASK_EVERY_MS : RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async listRatings(page: Page): Promise<readonly Rating[]> {
    return this.#query<Rating>(listing('ratings', 'id, user_id as "userId", service_id as "serviceId", score', page));
  }

  async listNamed(noun: Noun, page: Page): Promise<readonly Named[]> {
    return this.#query<Named>(listing(noun, 'id, name', page));
  }

  async apply(key: CommandKey, effect: Effect, reply: string): Promise<string> {
    const keyed = [storable(key.id), key.subject];
    const { name, text, values } = statementOf(effect);
    const [{ isNew } = { isNew: false }] = await this.#query<{ isNew: boolean }>({
      name,
      text: `${first} ${text} select exists (select from m) as "isNew"`,
      values: [...keyed, reply, ...values],
    });
    if (isNew) return reply;
    // In a statement of its own: the one above does not see what another worker has committed while it waited for it.
    const [kept] = await this.#query<{ response: string }>({
      name: 'kept',
      text: 'select response from inbox where msg_id = $1 and subject = $2',
      values: keyed,
    });
    if (kept === undefined) throw new Unavailable('The kept reply was purged at this moment');
    return kept.response;
  }

  async purge(keepMs: number): Promise<number> {
    const purged = await this.#query({
      name: 'purge',
      text: `delete from inbox where (msg_id, subject) in (
        select msg_id, subject from inbox where at < now() - make_interval(secs => $1) order by at limit $2
        for update skip locked) returning 1`,
      values: [keepMs / 1_000, PURGE_MAX],
    });
    return purged.length;
  }

  async #prepare(): Promise<void> {
    const lock = `select pg_advisory_xact_lock(${SCHEMA_LOCK})`;
    // Several statements in one text are one transaction, and the lock ends with it.
    await this.#query({ text: `${lock}; ${schema}` });
  }

  async #query<Row>(query: QueryConfig): Promise<readonly Row[]> {
    try {
      const { rows } = await this.#pool.query(query);
      this.#presence.up();
      return rows as Row[]; // The columns are those that the text above names.
    } catch (error) {
      if (error instanceof DatabaseError && !passing.test(error.code ?? '')) throw error;
      this.#presence.down();
      throw new Unavailable(wordsOf(error), { cause: error });
    }
  }
}

/** Takes the key, or finds it taken: the effect reads from `m`, so both happen in one statement or neither does. */
const first = `with m as (
  insert into inbox (msg_id, subject, response, at) values ($1, $2, $3, now()) on conflict do nothing returning 1
),`;

type Statement = { readonly name: string; readonly text: string; readonly values: readonly unknown[] };

/** The second half of the statement; its own parameters begin at `$4`. An id that is there already is left alone. */
function statementOf(effect: Effect): Statement {
  switch (effect.kind) {
    case 'addRatings':
      return {
        name: 'addRatings',
        text: `e as (
          insert into ratings (id, user_id, service_id, score)
          select t.* from m, unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::smallint[]) as t
          on conflict do nothing)`,
        values: [
          effect.ratings.map(({ id }) => id),
          effect.ratings.map(({ userId }) => userId),
          effect.ratings.map(({ serviceId }) => serviceId),
          effect.ratings.map(({ score }) => score),
        ],
      };
    case 'removeRatings':
      return {
        name: 'removeRatings',
        text: 'e as (delete from ratings where id = any($4::uuid[]) and exists (select from m))',
        values: [effect.ids],
      };
    case 'addNamed':
      return {
        name: `add ${effect.noun}`,
        text: `e as (
          insert into ${effect.noun} (id, name)
          select t.* from m, unnest($4::uuid[], $5::text[]) as t
          on conflict do nothing)`,
        values: [effect.items.map(({ id }) => id), effect.items.map(({ name }) => name)],
      };
  }
}

function listing(table: Noun | 'ratings', columns: string, { ids, after, limit }: Page): QueryConfig {
  const values = [after, limit, ...(ids === undefined ? [] : [ids])];
  // The smallest id of all stands for "from the first": one plan, and the primary key serves it.
  const behind = after === undefined ? `id >= coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')` : 'id > $1';
  const among = ids === undefined ? '' : ' and id = any($3::uuid[])';
  return { text: `select ${columns} from ${table} where ${behind}${among} order by id limit $2`, values };
}

const STORABLE_MAX_CHARS = 200;

/** The id is the client's to choose; what an index or a text cannot hold is kept as its hash. */
function storable(id: string): string {
  if (id.length <= STORABLE_MAX_CHARS && /^[\x20-\x7e]+$/.test(id)) return id;
  return `sha256:${createHash('sha256').update(id).digest('hex')}`;
}
