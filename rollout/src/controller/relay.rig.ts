/** Two controllers, each in a process of its own, of which whoever drives is killed before and after every kind of record in the journal. */
import type { Asked, Fate } from '../platform/kubernetes/front.rig.ts';
import type { Head } from '../policy/release.ts';
import type { ClusterApp } from './app.rig.ts';
import { startRacer } from './racer.rig.ts';

export interface Relay extends AsyncDisposable {
  /** From now on they are killed, and started again. */
  begin(): void;
  /** At which record each died: `<before|after> <head|fence|evidence> <phase>`. */
  readonly deaths: readonly string[];
  /** Before which record of the head one died: how often what releases write had been changed by then. */
  seenBefore(): Promise<Readonly<Record<string, Generations>>>;
}

type Generations = Awaited<ReturnType<ClusterApp['generations']>>;

export async function openRelay({
  namespace,
  generations,
}: Pick<ClusterApp, 'namespace' | 'generations'>): Promise<Relay> {
  const fates = new Fates(generations);
  const racers = await Promise.all(['a', 'b'].map((name) => startRacer(name, namespace, fates.of)));
  return {
    begin() {
      fates.isOn = true;
    },
    deaths: fates.deaths,
    async seenBefore() {
      const seen = [...fates.seenBefore].map(async ([phase, generations]) => [phase, await generations] as const);
      return Object.fromEntries(await Promise.all(seen));
    },
    async [Symbol.asyncDispose]() {
      fates.isOn = false;
      await Promise.all(racers.map((racer) => racer[Symbol.asyncDispose]()));
    },
  };
}

/** Decides at which writes whoever drives dies. */
class Fates {
  readonly deaths: string[] = [];
  readonly seenBefore = new Map<string, Promise<Generations>>();
  readonly #generations: () => Promise<Generations>;
  isOn = false;
  #fence = 0;
  #phase = '';
  readonly #died = new Set<string>();

  constructor(generations: () => Promise<Generations>) {
    this.#generations = generations;
  }

  readonly of = (asked: Asked): Fate => {
    const write = writeOf(asked);
    if (write === undefined) return 'lives';
    const phase = write.kind === 'head' ? phaseOf(write.head) : this.#phase;
    const kind = write.kind === 'head' && write.head.fence > this.#fence ? 'fence' : write.kind;
    const fate = this.isOn ? this.#next(kind === 'head' ? `head ${phase}` : kind) : 'lives';
    if (fate !== 'lives') this.deaths.push(`${fate} ${kind} ${phase}`);
    if (fate === 'before' && kind === 'head') this.seenBefore.set(phase, this.#generations());
    if (write.kind === 'head' && fate !== 'before') [this.#fence, this.#phase] = [write.head.fence, phase];
    return fate;
  };

  /** First before it, then after it. The next time it gets through, as nobody kills for ever. */
  #next(write: string): Fate {
    const fate = (['before', 'after'] as const).find((one) => !this.#died.has(`${one} ${write}`));
    if (fate !== undefined) this.#died.add(`${fate} ${write}`);
    return fate ?? 'lives';
  }
}

function phaseOf({ release }: Head): string {
  const now = release?.state.phase;
  return now === undefined ? 'none' : 'stage' in now ? `${now.kind}/${now.stage}` : now.kind;
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
