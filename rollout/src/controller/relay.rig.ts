/** Two controllers, each in a process of its own, of which whoever drives is killed after every kind of record in the journal. */
import type { Asked, Fate } from '../platform/kubernetes/front.rig.ts';
import type { Head } from '../policy/release.ts';
import type { ClusterApp } from './app.rig.ts';
import { startRacer } from './racer.rig.ts';

export interface Relay extends AsyncDisposable {
  /** From now on they are killed, and started again. */
  begin(): void;
  /** After which record each died: `<head|fence|evidence> <phase>`. */
  readonly deaths: readonly string[];
}

export async function openRelay({ namespace }: Pick<ClusterApp, 'namespace'>): Promise<Relay> {
  const fates = new Fates();
  const racers = await Promise.all(['a', 'b'].map((name) => startRacer(name, namespace, fates.of)));
  return {
    begin() {
      fates.isOn = true;
    },
    deaths: fates.deaths,
    async [Symbol.asyncDispose]() {
      fates.isOn = false;
      await Promise.all(racers.map((racer) => racer[Symbol.asyncDispose]()));
    },
  };
}

/** Decides at which writes whoever drives dies. */
class Fates {
  readonly deaths: string[] = [];
  isOn = false;
  #fence = 0;
  #phase = '';
  readonly #died = new Set<string>();

  readonly of = (asked: Asked): Fate => {
    const write = writeOf(asked);
    if (write === undefined) return 'lives';
    const phase = write.kind === 'head' ? phaseOf(write.head) : this.#phase;
    const kind = write.kind === 'head' && write.head.fence > this.#fence ? 'fence' : write.kind;
    const fate = this.isOn ? this.#next(kind === 'head' ? `head ${phase}` : kind) : 'lives';
    if (fate !== 'lives') this.deaths.push(`${kind} ${phase}`);
    if (write.kind === 'head') [this.#fence, this.#phase] = [write.head.fence, phase];
    return fate;
  };

  /** The next time it gets through, as nobody kills for ever. */
  #next(write: string): Fate {
    if (this.#died.has(write)) return 'lives';
    this.#died.add(write);
    return 'dies';
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
