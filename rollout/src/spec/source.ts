import type { Event, ScalarEvent } from 'js-yaml';
import { EVENT_ID, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';

/** Offsets into the files, one after the other. `keyAt` is where the key stands under which a value is written; for the whole file it is 0. */
export type Place = { readonly at: number; readonly keyAt: number };

/** YAML as written, before anybody knows what it means: every scalar is text, every node knows its place. */
export type Node =
  | { readonly kind: 'map'; readonly place: Place; readonly entries: ReadonlyMap<string, Node> }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly Node[] }
  | { readonly kind: 'scalar'; readonly place: Place; readonly text: string; readonly plain: boolean }
  /** Already reported, so that nobody reports it again. */
  | { readonly kind: 'broken'; readonly place: Place };

/** Keys and indexes from the top of the file. */
export type Path = readonly (string | number)[];

/** A mistake: which part of the file, the rule it breaks ("must be …"), and where to look. */
export type Finding = {
  readonly path: Path;
  readonly rule: string;
  readonly at: number;
  /** What is written there, or `undefined` where nothing is or the place says it all. */
  readonly value: string | undefined;
};

export type Report = (finding: Finding) => void;

/** What a node of this kind is called in a message. */
export function describe(node: Node): string | undefined {
  switch (node.kind) {
    case 'scalar':
      return JSON.stringify(node.text);
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    case 'broken':
      return undefined;
  }
}

/** A node without text of its own, as `key:` leaves it. */
export function isEmpty(node: Node): boolean {
  return node.kind === 'scalar' && node.plain && ['', '~', 'null'].includes(node.text);
}

/** The one document of `text`, or `undefined` if it cannot be read as YAML at all. */
export function readTree(text: string, report: Report): Node | undefined {
  try {
    return new TreeReader(text, report).read();
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const at = error.mark?.position ?? 0;
    report({ path: [], rule: `must be YAML: ${error.reason}`, at, value: undefined });
    return undefined;
  }
}

/** A tree of a file that comes after others: `by` is where it begins. */
export function moved(node: Node, by: number): Node {
  const place = { at: node.place.at + by, keyAt: node.place.keyAt + by };
  switch (node.kind) {
    case 'map':
      return { ...node, place, entries: new Map([...node.entries].map(([key, child]) => [key, moved(child, by)])) };
    case 'list':
      return { ...node, place, items: node.items.map((item) => moved(item, by)) };
    case 'scalar':
    case 'broken':
      return { ...node, place };
  }
}

/** `over` wins: maps are merged key by key, everything else is replaced whole. */
export function mergeTrees(base: Node, over: Node): Node {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const entries = new Map(base.entries);
  for (const [key, node] of over.entries) {
    const below = entries.get(key);
    entries.set(key, below === undefined ? node : mergeTrees(below, node));
  }
  return { ...base, entries };
}

/** The node at `path`, or the closest one above it. */
export function nodeAt(tree: Node, path: Path): { readonly node: Node; readonly found: boolean } {
  let node = tree;
  for (const part of path) {
    const next = childOf(node, part);
    if (next === undefined) return { node, found: false };
    node = next;
  }
  return { node, found: true };
}

function childOf(node: Node, part: string | number): Node | undefined {
  if (node.kind === 'map') return node.entries.get(String(part));
  if (node.kind === 'list') return node.items[Number(part)];
  return undefined;
}

/** Turns the flat events into nodes. The parser itself limits the depth to 100. */
class TreeReader {
  readonly #text: string;
  readonly #report: Report;
  readonly #events: readonly Event[];
  #next = 0;

  constructor(text: string, report: Report) {
    this.#text = text;
    this.#report = report;
    this.#events = parseEvents(text, {});
  }

  read(): Node | undefined {
    const documents = this.#events.filter((event) => event.type === EVENT_ID.DOCUMENT).length;
    if (documents === 1) {
      this.#take();
      return this.#node(0, []);
    }
    const value = documents === 0 ? 'an empty file' : `${documents} documents`;
    this.#report({ path: [], rule: 'must hold one YAML document', at: 0, value });
    return undefined;
  }

  #take(): Event | undefined {
    return this.#events[this.#next++];
  }

  #closes(): boolean {
    const event = this.#events[this.#next];
    if (event !== undefined && event.type !== EVENT_ID.POP) return false;
    this.#next += 1;
    return true;
  }

  /** `keyAt` is `undefined` for a value without a key: it then stands for itself. */
  #node(keyAt: number | undefined, path: Path): Node {
    const event = this.#take();
    if (event?.type === EVENT_ID.SCALAR) return this.#scalar(event, keyAt, path);
    if (event?.type === EVENT_ID.MAPPING || event?.type === EVENT_ID.SEQUENCE) {
      const place = { at: event.start, keyAt: keyAt ?? event.start };
      this.#refuseTag(event, path);
      return event.type === EVENT_ID.MAPPING ? this.#map(place, path) : this.#list(place, path);
    }
    const at = event?.type === EVENT_ID.ALIAS ? event.anchorStart - 1 : (keyAt ?? 0);
    this.#report({ path, rule: 'must be written out, without an alias', at, value: undefined });
    return { kind: 'broken', place: { at, keyAt: keyAt ?? at } };
  }

  #scalar(event: ScalarEvent, keyAt: number | undefined, path: Path): Node {
    this.#refuseTag(event, path);
    const text = getScalarValue(this.#text, event);
    const empty = event.valueEnd <= event.valueStart;
    // An empty value has no place that an eye could find; its key has.
    const at = empty ? (keyAt ?? Math.max(0, event.valueStart)) : event.valueStart;
    return { kind: 'scalar', place: { at, keyAt: keyAt ?? at }, text, plain: event.style === SCALAR_STYLE.PLAIN };
  }

  #map(place: Place, path: Path): Node {
    const entries = new Map<string, Node>();
    while (!this.#closes()) {
      const key = this.#node(undefined, path);
      const name = key.kind === 'scalar' ? key.text : '';
      const value = this.#node(key.place.at, [...path, name]);
      if (key.kind !== 'scalar') {
        this.#report({ path, rule: 'must have text as its keys', at: key.place.at, value: describe(key) });
      } else if (entries.has(name)) {
        this.#report({ path: [...path, name], rule: 'must be written once', at: key.place.at, value: undefined });
      } else {
        entries.set(name, value);
      }
    }
    return { kind: 'map', place, entries };
  }

  #list(place: Place, path: Path): Node {
    const items: Node[] = [];
    while (!this.#closes()) items.push(this.#node(undefined, [...path, items.length]));
    return { kind: 'list', place, items };
  }

  #refuseTag({ tagStart, tagEnd }: { readonly tagStart: number; readonly tagEnd: number }, path: Path): void {
    if (tagStart < 0) return;
    const value = JSON.stringify(this.#text.slice(tagStart, tagEnd));
    this.#report({ path, rule: 'must have no YAML tag', at: tagStart, value });
  }
}
