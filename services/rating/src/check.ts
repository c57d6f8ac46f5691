import { isObject } from './envelope.ts';

/** One thing wrong with a request; `path` is in the client's words, e.g. `items[0].score`. */
export type Issue = { readonly path: string; readonly message: string };

/** Most items of one command, ids of one request, and items of one page. Keeps an answer under what NATS carries. */
export const ITEMS_MAX = 1_000;

const ISSUES_MAX = 100;
const NAME_MAX_CHARS = 200;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** No control characters, and no half of a surrogate pair: Postgres has no text for them. */
const name = /^[^\p{Cc}\p{Cs}]+$/u;

/** Reads parts of a request and collects what is wrong with them. What it returns is right only if `issues` is empty. */
export class Checks {
  readonly #issues: Issue[] = [];
  #omitted = 0;

  /** All that was wrong so far; past a hundred only their number. */
  get issues(): readonly Issue[] {
    const rest = { path: '', message: `and ${this.#omitted} more` };
    return this.#omitted === 0 ? this.#issues : [...this.#issues, rest];
  }

  /** The objects in `items` of the body, each with its path. */
  items(body: unknown): readonly { readonly path: string; readonly item: Readonly<Record<string, unknown>> }[] {
    const items = isObject(body) ? body['items'] : undefined;
    if (!Array.isArray(items) || items.length === 0 || items.length > ITEMS_MAX) {
      this.#refuse('items', `must be a list of 1 to ${ITEMS_MAX}`, Array.isArray(items) ? items.length : items);
      return [];
    }
    return items.flatMap((item: unknown, i) => {
      const path = `items[${i}]`;
      if (isObject(item)) return [{ path, item }];
      this.#refuse(path, 'must be an object', item);
      return [];
    });
  }

  /** Comma-separated ids of the query and a list of them in the body, together; `undefined` if neither is there. */
  ids(query: Readonly<Record<string, unknown>>, body: unknown): readonly string[] | undefined {
    const given = [query['ids'], isObject(body) ? body['ids'] : undefined].filter((value) => value !== undefined);
    if (given.length === 0) return undefined;
    const ids = given.flat().flatMap((value: unknown) => (typeof value === 'string' ? value.split(',') : [value]));
    if (ids.length > ITEMS_MAX) {
      this.#refuse('ids', `must be at most ${ITEMS_MAX}`, ids.length);
      return [];
    }
    return [...new Set(ids.map((id, i) => this.uuid(`ids[${i}]`, id)))];
  }

  /** In lower case. */
  uuid(path: string, value: unknown): string {
    if (typeof value === 'string' && uuid.test(value)) return value.toLowerCase();
    return this.#refuse(path, 'must be a UUID', value) ?? '';
  }

  whole(path: string, value: unknown, { min, max }: { min: number; max: number }): number {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    return this.#refuse(path, `must be a whole number from ${min} to ${max}`, value) ?? min;
  }

  name(path: string, value: unknown): string {
    if (typeof value === 'string' && value.length <= NAME_MAX_CHARS && name.test(value)) return value;
    return this.#refuse(path, `must be a text of 1 to ${NAME_MAX_CHARS} printable characters`, value) ?? '';
  }

  /** A query parameter that is a number. */
  wholeText(path: string, value: unknown, bounds: { min: number; max: number }): number {
    return this.whole(path, typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value, bounds);
  }

  #refuse(path: string, rule: string, value: unknown): undefined {
    if (this.#issues.length >= ISSUES_MAX) this.#omitted++;
    else this.#issues.push({ path, message: `${rule}: current value is ${shown(value)}` });
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'none';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
