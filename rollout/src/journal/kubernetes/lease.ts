import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../deadline.ts';
import type { KubeClient, KubeObject, Written } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import type { LeaseTimes } from '../app-lock.ts';
import type { Acquired, AppLock, Holding, Lease } from '../journal.ts';
import { lockLost } from '../lost.ts';
import { needing, reading, writeTriesMax, writing } from './objects.ts';

type LeaseObject = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
};

/** Tells two holders of one name apart: the same job may run twice. */
const holdingMark = 'headgate.dev/holding';
const retryMs = 500;
/** What a lease says that nobody holds. */
const free = { holderIdentity: '' };

/** What is known of other holders without waiting until their time is over. */
export type Peers = {
  /** Of this name there is never a second process at the same time: what a former life of it holds is held by nobody. */
  readonly own: string;
  /** Unlike that of every other process. */
  readonly life: string;
  /** True if the process of that name has surely ended. */
  readonly hasEnded: (holder: string, signal: AbortSignal) => Promise<boolean>;
};

/** Expiry is measured by the observer's own clock, from the last change it saw: no two clocks are compared. */
export function leaseIn(
  client: KubeClient,
  { name, labels }: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
  times: LeaseTimes,
  peers?: Peers,
): AppLock {
  const what = `lease ${client.namespace}/${name}`;
  const needsRole = needing(`${name}-driver`);
  const observer = new Observer(times);
  /** Takings that ended without an answer: if one was carried out, nobody renews it, and it is ours to take again. */
  const unsure = new Set<string>();
  /** What was taken last. If it ran out and nobody else has taken it since, it is ours to take again as well. */
  let last: { readonly mark: string | undefined; readonly lease: Lease } | undefined;

  const look = (signal: AbortSignal) => client.get<LeaseObject>(kinds.Lease, name, signal);

  function isOurs(seen: LeaseObject): boolean {
    const mark = markOf(seen);
    if (mark === undefined) return false;
    const isOfFormerLife = peers?.own === holderOf(seen) && !mark.startsWith(peers.life);
    return isOfFormerLife || unsure.has(mark) || (mark === last?.mark && last.lease.lost.aborted);
  }

  async function isTakeable(seen: LeaseObject, signal: AbortSignal): Promise<boolean> {
    if (isOurs(seen) || observer.isGivenUp(seen)) return true;
    return peers !== undefined && (await peers.hasEnded(holderOf(seen), signal));
  }

  async function take(holder: string, seen: LeaseObject | undefined, signal: AbortSignal) {
    const mark = `${peers?.life ?? ''}${randomUUID()}`;
    const now = microTime();
    const spec = {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(times.givenUpMs / 1_000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: (seen?.spec?.leaseTransitions ?? 0) + 1,
    };
    const metadata = { ...(seen?.metadata ?? { name, labels }), annotations: { [holdingMark]: mark } };
    const object: LeaseObject = { metadata, spec };
    const written = await (seen === undefined
      ? client.create(kinds.Lease, object, signal)
      : client.replace(kinds.Lease, object, signal)
    ).catch((error: unknown) => {
      unsure.add(mark); // Not before: until its answer comes, whoever asked for it may hold it.
      throw error;
    });
    if (written.kind === 'written') unsure.clear();
    return written;
  }

  return {
    acquire: (holder, signal) =>
      writing(what, signal, async (): Promise<Acquired> => {
        for (let tries = 0; tries < writeTriesMax; tries++) {
          const seen = await look(signal);
          if (isHeld(seen) && !(await isTakeable(seen, signal))) return { kind: 'busy', holder: holderOf(seen) };
          const begun = times.now();
          const written = await take(holder, seen, signal).catch(needsRole);
          if (written.kind !== 'written') continue;
          last = { mark: markOf(written.object), lease: keep(client, written.object, begun, times) };
          return { kind: 'held', lease: last.lease };
        }
        return { kind: 'busy', holder: 'somebody who takes and gives it all the time' };
      }),
    holding: (signal) =>
      reading(what, signal, async () => {
        const seen = await look(signal);
        return isHeld(seen) && !observer.isGivenUp(seen) ? holdingOf(client, seen, { what, needsRole }) : undefined;
      }),
  };
}

function holdingOf(
  client: KubeClient,
  seen: LeaseObject,
  { what, needsRole }: { readonly what: string; readonly needsRole: (error: unknown) => never },
): Holding {
  return {
    holder: holderOf(seen),
    since: Date.parse(seen.spec?.acquireTime ?? ''),
    renewal: seen.metadata.resourceVersion ?? '',
    end: (signal) =>
      writing(what, signal, async () => (await change(client, seen, free, signal).catch(needsRole)).kind === 'written'),
  };
}

class Observer {
  readonly #times: LeaseTimes;
  #last: { readonly version: string; readonly since: number } | undefined;

  constructor(times: LeaseTimes) {
    this.#times = times;
  }

  isGivenUp({ metadata: { uid, resourceVersion } }: LeaseObject): boolean {
    const now = this.#times.now();
    const version = `${uid}/${resourceVersion}`;
    if (this.#last?.version !== version) this.#last = { version, since: now };
    return now - this.#last.since >= this.#times.givenUpMs;
  }
}

/** Renews until it is released, or until so long has passed without success that others may soon take over. */
function keep(client: KubeClient, taken: LeaseObject, begun: number, times: LeaseTimes): Lease {
  const lost = new AbortController();
  const over = new AbortController();
  let known = taken;
  let stop = stopAt(begun);

  function stopAt(renewed: number): NodeJS.Timeout {
    return setTimeout(lose, Math.max(0, renewed + times.stopMs - times.now())).unref();
  }

  function lose(): void {
    over.abort();
    lost.abort(lockLost(`lease ${known.metadata.name}`));
  }

  async function renew(): Promise<void> {
    const at = times.now();
    const signal = withDeadline(over.signal, times.renewMs);
    const written = await change(client, known, { renewTime: microTime() }, signal);
    if (written.kind !== 'written') return lose();
    known = written.object;
    clearTimeout(stop);
    stop = stopAt(at);
  }

  async function goOn(): Promise<void> {
    for (let pauseMs = times.renewMs; !over.signal.aborted; ) {
      await sleep(pauseMs, undefined, { signal: over.signal, ref: false });
      // A renewal that failed is tried again soon; enough of them end the lease by the timer.
      pauseMs = await renew().then(
        () => times.renewMs,
        () => Math.min(retryMs, times.renewMs),
      );
    }
  }
  const renewing = goOn().catch(() => {}); // The wait between two renewals ends when the lease does.

  return {
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      over.abort();
      clearTimeout(stop);
      await renewing;
      if (lost.signal.aborted) return;
      // Without an answer it runs out by itself.
      await change(client, known, free, AbortSignal.timeout(times.renewMs)).catch(() => {});
    },
  };
}

/** Changes the lease while it is ours, whatever else was changed on it. Any other outcome than `written` means that it is not ours. */
async function change(
  client: KubeClient,
  ours: LeaseObject,
  part: NonNullable<LeaseObject['spec']>,
  signal: AbortSignal,
): Promise<Written<LeaseObject>> {
  let seen = ours;
  for (let tries = 0; tries < writeTriesMax; tries++) {
    const written = await client.replace<LeaseObject>(
      kinds.Lease,
      { ...seen, spec: { ...seen.spec, ...part } },
      signal,
    );
    if (written.kind !== 'conflict') return written;
    const now = await client.get<LeaseObject>(kinds.Lease, ours.metadata.name, signal);
    if (now === undefined || markOf(now) !== markOf(ours) || !isHeld(now)) return { kind: 'missing' };
    seen = now;
  }
  return { kind: 'missing' };
}

function isHeld(lease: LeaseObject | undefined): lease is LeaseObject {
  return lease !== undefined && holderOf(lease) !== '';
}

function holderOf({ spec }: LeaseObject): string {
  return spec?.holderIdentity ?? '';
}

function markOf({ metadata }: LeaseObject): string | undefined {
  return metadata.annotations?.[holdingMark];
}

/** The API takes six digits after the point, no fewer. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
