/** Two controllers, each in a process of its own, of which whoever drives is killed before and after every kind of record in the journal. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WishAct } from '../engine/wishes.ts';
import type { Asked, Fate } from '../platform/kubernetes/front.rig.ts';
import type { Phase } from '../policy/phase.ts';
import type { DecisionRecord, Head, ReleaseState } from '../policy/release.ts';
import type { ClusterApp } from './app.rig.ts';
import { startRacer } from './racer.rig.ts';

export type PhaseName = NameOf<Phase>;
type NameOf<P> = P extends { readonly kind: infer K extends string; readonly stage: infer S extends string }
  ? `${K}/${S}`
  : P extends { readonly kind: infer K extends string }
    ? K
    : never;

/**
 * What whoever drives releases can write, by what the record says: the phase that it enters, the wish that it takes up, and which part of
 * the head and of the release's state it changes. One record may be of many kinds.
 */
export type RecordKind =
  | 'evidence'
  | `phase ${PhaseName}`
  | `wish ${WishAct['kind']}`
  | `state ${keyof ReleaseState}`
  /** An app's name never changes, and a rolling update is no release. */
  | `head ${Exclude<keyof Head, 'app' | 'rolling'>}`;

export interface Relay extends AsyncDisposable {
  /** From now on they are killed, and started again. */
  begin(): void;
  /** At which record each died: `<before|after> <kind of record>`. */
  readonly deaths: ReadonlySet<string>;
  /** Before which phase one died: how often what releases write had been changed by then, the first time. */
  seenBefore(): Promise<Readonly<Record<string, Generations>>>;
  /** Whoever drives is told to go and ends; the other one drives then, and the first is started again. */
  replace(): Promise<void>;
  /** Both are told to go while the release runs. Whoever drives is killed before it has recorded that, and its next process after it. */
  interrupt(): Promise<void>;
}

type Generations = Awaited<ReturnType<ClusterApp['generations']>>;

export async function openRelay({
  namespace,
  generations,
}: Pick<ClusterApp, 'namespace' | 'generations'>): Promise<Relay> {
  const fates = new Fates(generations);
  const names = ['a', 'b'];
  const racers = await Promise.all(names.map((name) => startRacer(name, namespace, fates.of(name))));
  const until = async (holds: () => boolean) => {
    for (const within = AbortSignal.timeout(30_000); !holds(); ) await sleep(20, undefined, { signal: within });
  };
  const driving = async () => {
    await until(() => fates.driver !== '');
    const driver = names.indexOf(fates.driver);
    return { racer: racers[driver]!, other: racers[1 - driver]! };
  };
  return {
    begin() {
      fates.isOn = true;
    },
    deaths: fates.deaths,
    async seenBefore() {
      const seen = [...fates.seenBefore].map(async ([phase, generations]) => [phase, await generations] as const);
      return Object.fromEntries(await Promise.all(seen));
    },
    async replace() {
      const { racer } = await driving();
      racer.tell();
      await racer.restart();
    },
    async interrupt() {
      const { racer, other } = await driving();
      other.tell();
      for (const when of ['before', 'after']) {
        await until(() => {
          if (fates.driver !== '') racer.tell(); // A process that does not drive yet has nothing to leave in order.
          return fates.deaths.has(`${when} phase interrupted`);
        });
      }
      await other.restart();
    },
    async [Symbol.asyncDispose]() {
      fates.isOn = false;
      await Promise.all(racers.map((racer) => racer[Symbol.asyncDispose]()));
    },
  };
}

/** Decides at which writes whoever drives dies. */
class Fates {
  readonly deaths = new Set<string>();
  readonly seenBefore = new Map<string, Promise<Generations>>();
  readonly #generations: () => Promise<Generations>;
  isOn = false;
  /** Who wrote last, and lives. */
  driver = '';
  #head: Head | undefined;

  constructor(generations: () => Promise<Generations>) {
    this.#generations = generations;
  }

  readonly of =
    (name: string) =>
    (asked: Asked): Fate => {
      const write = writeOf(asked);
      return write === undefined ? 'lives' : this.#fateOf(name, write);
    };

  #fateOf(name: string, write: JournalWrite): Fate {
    const kinds = write.kind === 'head' ? kindsOf(this.#head, write.head) : (['evidence'] as const);
    const fate = this.isOn ? this.#next(kinds) : 'lives';
    this.driver = fate === 'lives' ? name : '';
    if (fate === 'before') for (const kind of kinds) this.#note(kind);
    if (write.kind === 'head' && fate !== 'before') this.#head = write.head;
    return fate;
  }

  /** First before it, then after it. The next time it gets through, as nobody kills for ever. */
  #next(kinds: readonly RecordKind[]): Fate {
    for (const when of ['before', 'after'] as const) {
      const fresh = kinds.map((kind) => `${when} ${kind}`).filter((death) => !this.deaths.has(death));
      for (const death of fresh) this.deaths.add(death);
      if (fresh.length > 0) return when;
    }
    return 'lives';
  }

  #note(kind: RecordKind): void {
    const [what, phase = ''] = kind.split(' ');
    if (what === 'phase' && !this.seenBefore.has(phase)) this.seenBefore.set(phase, this.#generations());
  }
}

/** What this record has that the one before it had not. */
function kindsOf(before: Head | undefined, after: Head): readonly RecordKind[] {
  const changed = <T extends object>(a: T | undefined, b: T): readonly (keyof T)[] =>
    (Object.keys(b) as (keyof T)[]).filter((key) => JSON.stringify(a?.[key]) !== JSON.stringify(b[key]));
  const [old, now] = [before?.release, after.release];
  const was = old !== undefined && old.id === now?.id ? nameOf(old.state.phase) : undefined;
  const is = now && nameOf(now.state.phase);
  const parts = changed(before, after).filter((part) => part !== 'app' && part !== 'rolling');
  return [
    ...(is === undefined || is === was ? [] : [`phase ${is}` as const]),
    ...wishesIn(before, after).map((act) => `wish ${act}` as const),
    ...(now === undefined ? [] : changed(old?.state, now.state).map((part) => `state ${part}` as const)),
    ...parts.map((part) => `head ${part}` as const),
  ];
}

function wishesIn(before: Head | undefined, after: Head): readonly WishAct['kind'][] {
  const record = after.decisions.at(-1);
  const known = new Set(before?.answers.map(({ id }) => id));
  const isBegun = after.answers.some(({ id, kind }) => kind === 'begun' && !known.has(id));
  const orders = isBegun ? (['release'] as const) : [];
  const isNew = record !== undefined && !sameRecord(record, before?.decisions.at(-1));
  return [...orders, ...(isNew ? record.look.wishes.map(({ act }) => act) : [])];
}

function sameRecord(a: DecisionRecord, b: DecisionRecord | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function nameOf(phase: Phase): PhaseName {
  return ('stage' in phase ? `${phase.kind}/${phase.stage}` : phase.kind) as PhaseName; // As the type has it.
}

type JournalWrite = { readonly kind: 'head'; readonly head: Head } | { readonly kind: 'evidence' };

function writeOf({ method, path, body }: Asked): JournalWrite | undefined {
  if ((method !== 'PUT' && method !== 'POST' && method !== 'PATCH') || !path.includes('/configmaps')) return undefined;
  const { metadata, data } = JSON.parse(body) as {
    readonly metadata?: { readonly name: string };
    readonly data?: { readonly head: string };
  };
  if (metadata?.name === 'headgate-test' && data !== undefined) return { kind: 'head', head: JSON.parse(data.head) };
  return /^headgate-test-e\d/.test(metadata?.name ?? '') ? { kind: 'evidence' } : undefined;
}
