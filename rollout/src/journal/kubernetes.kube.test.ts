import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type KubeClient, type KubeObject, openKubeClient } from '../platform/kubernetes/client.ts';
import { type FaultyWay, openFaultyWay, temporaryNamespace } from '../platform/kubernetes/cluster.rig.ts';
import { type Kind, kinds } from '../platform/kubernetes/kinds.ts';
import type { LeaseTimes } from './app-lock.ts';
import { describeRecords } from './journal.contract.ts';
import type { Acquired, Records } from './journal.ts';
import type { ConfigMap } from './kubernetes/objects.ts';
import { openKubernetesJournal } from './kubernetes.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;
let client: KubeClient;
let apps = 0;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  client = namespace.client;
});
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

const anApp = (): string => `app-${++apps}`;

describeRecords('kubernetes', async () => {
  const app = anApp();
  return { records: openKubernetesJournal(client, app), reopen: () => openKubernetesJournal(client, app) };
});

/** The records of an app over a way that can fail, with requests that give up soon. */
async function overAWay(
  times?: LeaseTimes,
): Promise<AsyncDisposable & { way: FaultyWay; app: string; far: Records; near: Records }> {
  const way = await openFaultyWay();
  const deadlines = { requestMs: 1_000, accessMs: 60_000 };
  const farClient = openKubeClient({ kubeconfig: way.kubeconfig, namespace: namespace.name, deadlines });
  const app = anApp();
  return {
    way,
    app,
    far: openKubernetesJournal(farClient, app, times),
    near: openKubernetesJournal(client, app, times),
    async [Symbol.asyncDispose]() {
      farClient[Symbol.dispose]();
      await way[Symbol.asyncDispose]();
    },
  };
}

describe('the head in a ConfigMap', () => {
  test('a label that somebody puts on it stops no driver, and stays', async () => {
    const app = anApp();
    const { journal } = openKubernetesJournal(client, app);
    const version = versionOf(await journal.write('a', undefined, signal()));
    await client.merge(kinds.ConfigMap, `headgate-${app}`, { metadata: { labels: { team: 'x' } } }, signal());

    expect(await journal.write('b', version, signal())).toMatchObject({ kind: 'written' });

    const object = await client.get<ConfigMap>(kinds.ConfigMap, `headgate-${app}`, signal());
    expect(object).toMatchObject({
      data: { head: '"b"' },
      metadata: { labels: { team: 'x', 'headgate.dev/app': app } },
    });
  });

  test('of two writes at once one gets through, also when its answer comes last', async () => {
    const app = anApp();
    const others: unknown[] = [];
    const late: KubeClient = {
      ...client,
      async create<T extends KubeObject>(kind: Kind, object: T, within: AbortSignal) {
        const written = await client.create(kind, object, within);
        // The first one is stored by now; before it hears so, another one is written and ends.
        if (written.kind === 'written') others.push(await journal.write('b', undefined, within));
        return written;
      },
    };
    const { journal } = openKubernetesJournal(late, app);

    const one = await journal.write('a', undefined, signal());

    expect([one.kind, others]).toEqual(['written', [{ kind: 'conflict' }]]);
    expect(await journal.read(signal())).toMatchObject({ head: 'a' });
  });

  test('a write whose answer is lost is no conflict with ourselves', async () => {
    await using over = await overAWay();
    const version = versionOf(await over.far.journal.write('a', undefined, signal()));

    over.way.mute();
    await expect(over.far.journal.write('b', version, signal())).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });
    await until(async () => (await over.near.journal.read(signal()))?.head === 'b');
    over.way.heal();

    expect(await over.far.journal.write('c', version, signal())).toMatchObject({ kind: 'written' });
    expect(await over.near.journal.read(signal())).toMatchObject({ head: 'c' });
  });

  test('a write whose answer is lost does not hide that somebody else wrote after it', async () => {
    await using over = await overAWay();
    const version = versionOf(await over.far.journal.write('a', undefined, signal()));
    over.way.mute();
    await expect(over.far.journal.write('b', version, signal())).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });
    await until(async () => (await over.near.journal.read(signal()))?.head === 'b');
    await over.near.journal.write('theirs', (await over.near.journal.read(signal()))?.version, signal());
    over.way.heal();

    expect(await over.far.journal.write('c', version, signal())).toEqual({ kind: 'conflict' });
    expect(await over.near.journal.read(signal())).toMatchObject({ head: 'theirs' });
  });

  test('one that does not hold what we wrote is JOURNAL_UNREADABLE, with what to do', async () => {
    const app = anApp();
    const data = { head: '{"half', version: '1' };
    await client.create<ConfigMap>(kinds.ConfigMap, { metadata: { name: `headgate-${app}` }, data }, signal());
    const { journal } = openKubernetesJournal(client, app);

    await expect(journal.read(signal())).rejects.toMatchObject({
      code: 'JOURNAL_UNREADABLE',
      message: expect.stringContaining(`headgate-${app}`),
      hint: expect.any(String),
    });
  });

  test('a cluster that cannot be reached is JOURNAL_UNREADABLE and JOURNAL_UNWRITABLE', async () => {
    await using over = await overAWay();
    over.way.cut();

    await expect(over.far.journal.read(signal())).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
    await expect(over.far.journal.write('x', undefined, signal())).rejects.toMatchObject({
      code: 'JOURNAL_UNWRITABLE',
    });
    await expect(over.far.journal.appendEvidence(1, ['x'], signal())).rejects.toMatchObject({
      code: 'JOURNAL_UNWRITABLE',
    });
  });
});

describe('evidence in ConfigMaps', () => {
  test('fills parts up to 256 KiB, and a full one never changes again', async () => {
    const app = anApp();
    const { journal } = openKubernetesJournal(client, app);
    const chunks = Array.from({ length: 7 }, (_, n) => [n, randomBytes(80_000).toString('base64')]); // Does not get smaller.

    for (const chunk of chunks) await journal.appendEvidence(3, chunk, signal());

    expect(await openKubernetesJournal(client, app).journal.readEvidence(3, signal())).toEqual(chunks.flat());
    const labels = `headgate.dev/app=${app},headgate.dev/release=3`;
    const { items } = await client.list<ConfigMap>(kinds.ConfigMap, { labels }, signal());
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual([0, 1, 2].map((n) => `headgate-${app}-e3-${n}`));
    expect(items.filter(({ immutable }) => immutable === true)).toHaveLength(2);
    for (const { binaryData } of items)
      expect(Buffer.from(binaryData?.['evidence.gz'] ?? '', 'base64').length).toBeLessThanOrEqual(256 * 1_024);
    const steps = [{ op: 'remove', path: '/binaryData' } as const];
    const first = `headgate-${app}-e3-0`;
    await expect(client.patch(kinds.ConfigMap, first, steps, signal())).rejects.toMatchObject({
      code: 'CLUSTER_REFUSED',
    });
  });

  test('an append whose answer is lost and that is repeated counts once', async () => {
    await using over = await overAWay();
    await over.far.journal.appendEvidence(1, ['a'], signal());

    over.way.mute();
    await expect(over.far.journal.appendEvidence(1, ['b'], signal())).rejects.toMatchObject({
      code: 'JOURNAL_UNWRITABLE',
    });
    await until(async () => (await over.near.journal.readEvidence(1, signal())).length === 2);
    over.way.heal();
    await over.far.journal.appendEvidence(1, ['b'], signal());
    await over.far.journal.appendEvidence(1, ['b'], signal());

    expect(await over.near.journal.readEvidence(1, signal())).toEqual(['a', 'b', 'b']);
  });

  test('two that append at once lose nothing of each other', async () => {
    const app = anApp();
    const both = [openKubernetesJournal(client, app), openKubernetesJournal(client, app)] as const;

    await Promise.all(both.map(({ journal }, n) => journal.appendEvidence(1, [n], signal())));

    expect((await both[0].journal.readEvidence(1, signal())).toSorted()).toEqual([0, 1]);
  });
});

describe('wishes in a ConfigMap', () => {
  test('nonsense in it keeps no wish from being heard', async () => {
    const app = anApp();
    const { wishes } = openKubernetesJournal(client, app);
    const id = await wishes.add({ act: 'rollback', actor: 'eva', at: 1 }, signal());
    await client.merge(kinds.ConfigMap, `headgate-${app}-wishes`, { data: { a: 'nonsense', b: '{"at":1}' } }, signal());

    expect(await wishes.read(signal())).toEqual([{ id, act: 'rollback', actor: 'eva', at: 1 }]);
  });
});

describe('the lock as a Lease', () => {
  const quick: LeaseTimes = { renewMs: 450, stopMs: 2_700, givenUpMs: 4_500, now: () => performance.now() };
  /** Long against an outage of half a second, as 25 s are against a server that restarts. */
  const patient: LeaseTimes = { ...quick, stopMs: 8_000, givenUpMs: 10_000 };

  test('is shown to `kubectl get lease` with its holder, and free of it after the release', async () => {
    const app = anApp();
    const { lock } = openKubernetesJournal(client, app);
    const lease = leaseOf(await lock.acquire('eva@desk', signal()));

    const spec = { holderIdentity: 'eva@desk', leaseDurationSeconds: 6, leaseTransitions: 1 };
    expect(await client.get(kinds.Lease, `headgate-${app}`, signal())).toMatchObject({ spec });
    await lease[Symbol.asyncDispose]();
    expect(await client.get(kinds.Lease, `headgate-${app}`, signal())).toMatchObject({ spec: { holderIdentity: '' } });
  });

  test('a holder that hears nothing stops before anybody takes over, and an observer takes over after its own time', async () => {
    await using over = await overAWay(quick);
    const lease = leaseOf(await over.far.lock.acquire('far', signal()));
    let lostAt = Number.POSITIVE_INFINITY;
    lease.lost.addEventListener('abort', () => {
      lostAt = performance.now();
    });

    over.way.stall();
    const stalledAt = performance.now();
    let next: Acquired = { kind: 'busy', holder: '' };
    while (next.kind === 'busy') next = await over.near.lock.acquire('near', signal());
    const takenAt = performance.now();

    expect(lostAt - stalledAt).toBeLessThan(quick.givenUpMs);
    expect(lostAt).toBeLessThan(takenAt);
    expect(takenAt - stalledAt).toBeGreaterThanOrEqual(quick.givenUpMs - quick.renewMs);
    over.way.heal();
    await lease[Symbol.asyncDispose]();
    expect((await over.near.lock.holding(signal()))?.holder).toBe('near');
    await leaseOf(next)[Symbol.asyncDispose]();
  });

  test('outlives a server that is away for less than its time', async () => {
    await using over = await overAWay(patient);
    await using lease = leaseOf(await over.far.lock.acquire('far', signal()));

    over.way.cut();
    await sleep(500);
    over.way.heal();
    const before = await renewal(over.app);
    await until(async () => (await renewal(over.app)) !== before);

    expect(lease.lost.aborted).toBe(false);
    expect(await over.near.lock.acquire('near', signal())).toEqual({ kind: 'busy', holder: 'far' });
  });

  test('is never taken from a holder that renews, however fast the clock of who waits', async () => {
    const app = anApp();
    await using lease = leaseOf(await openKubernetesJournal(client, app, patient).lock.acquire('driver', signal()));
    let now = 0;
    const { lock } = openKubernetesJournal(client, app, { ...patient, now: () => now });

    for (let look = 0; look < 4; look++) {
      expect(await lock.acquire('next', signal())).toEqual({ kind: 'busy', holder: 'driver' });
      const before = await renewal(app);
      await until(async () => (await renewal(app)) !== before);
      now += 60_000;
    }
    expect(lease.lost.aborted).toBe(false);
  });

  test('a foreign label is no loss; another holder is, at the next renewal', async () => {
    const app = anApp();
    const lease = leaseOf(await openKubernetesJournal(client, app, patient).lock.acquire('driver', signal()));
    await client.merge(kinds.Lease, `headgate-${app}`, { metadata: { labels: { team: 'x' } } }, signal());
    const before = await renewal(app);
    await until(async () => (await renewal(app)) !== before);
    expect(lease.lost.aborted).toBe(false);

    const lost = once(lease.lost, 'abort', { signal: signal() });
    const annotations = { 'headgate.dev/holding': 'other' };
    const taken = { metadata: { annotations }, spec: { holderIdentity: 'other' } };
    await client.merge(kinds.Lease, `headgate-${app}`, taken, signal());

    await lost;
    await lease[Symbol.asyncDispose]();
    expect(await client.get(kinds.Lease, `headgate-${app}`, signal())).toMatchObject({
      spec: { holderIdentity: 'other' },
    });
  });

  test('of two takings at once by one lock one gets it, also when its answer comes last', async () => {
    const app = anApp();
    const others: Acquired[] = [];
    const late: KubeClient = {
      ...client,
      async create<T extends KubeObject>(kind: Kind, object: T, within: AbortSignal) {
        const written = await client.create(kind, object, within);
        // The first one has the lock by now; before it hears so, another one asks for it.
        if (written.kind === 'written') others.push(await lock.acquire('second', within));
        return written;
      },
    };
    const { lock } = openKubernetesJournal(late, app);

    const first = await lock.acquire('first', signal());

    expect(others.map(({ kind }) => kind)).toEqual(['busy']);
    await leaseOf(first)[Symbol.asyncDispose]();
  });

  test('a pod that starts again takes what its former life held at once, and nobody else does', async () => {
    const app = anApp();
    const hasEnded = async (): Promise<boolean> => false;
    const as = (own: string, life: string) =>
      openKubernetesJournal(client, app, undefined, { own, life, hasEnded }).lock;
    const former = leaseOf(await as('pod-1', 'first').acquire('pod-1', signal()));

    const others = [as('pod-2', 'first'), openKubernetesJournal(client, app).lock];
    const answers = await Promise.all(others.map((lock) => lock.acquire('pod-1 or 2', signal())));
    const again = as('pod-1', 'second');
    await using lease = leaseOf(await again.acquire('pod-1', signal()));

    expect(answers.map(({ kind }) => kind)).toEqual(['busy', 'busy']);
    expect(await again.acquire('pod-1', signal())).toEqual({ kind: 'busy', holder: 'pod-1' }); // Its own life holds it.
    await former[Symbol.asyncDispose](); // It has no lock to give back any more.
    expect(await again.holding(signal())).toMatchObject({ holder: 'pod-1' });
    expect(lease.lost.aborted).toBe(false);
  });

  test('what a peer holds that has surely ended is taken at once', async () => {
    const app = anApp();
    const former = leaseOf(await openKubernetesJournal(client, app).lock.acquire('pod-1', signal()));
    const ended = new Set<string>();
    const peers = { own: 'pod-2', life: 'first', hasEnded: async (holder: string) => ended.has(holder) };
    const { lock } = openKubernetesJournal(client, app, undefined, peers);

    expect(await lock.acquire('pod-2', signal())).toEqual({ kind: 'busy', holder: 'pod-1' });
    ended.add('pod-1');
    await using lease = leaseOf(await lock.acquire('pod-2', signal()));

    expect(lease.lost.aborted).toBe(false);
    if (!former.lost.aborted) await once(former.lost, 'abort', { signal: signal() }); // It hears so at its next renewal.
  });

  test('a taking whose answer is lost can be repeated at once', async () => {
    await using over = await overAWay();
    await over.far.lock.holding(signal()); // A connection that stands.
    over.way.mute();
    const acquire = over.far.lock.acquire('far', signal());
    await expect(acquire).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });
    over.way.heal();

    const again = await over.far.lock.acquire('far', signal());

    await leaseOf(again)[Symbol.asyncDispose]();
  });
});

async function renewal(app: string): Promise<string | undefined> {
  return (await client.get(kinds.Lease, `headgate-${app}`, signal()))?.metadata.resourceVersion;
}

/** Asks the server until it is so; the test's own time is the limit. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const within = signal();
  while (!(await holds())) await sleep(20, undefined, { signal: within });
}

function versionOf(written: Awaited<ReturnType<Records['journal']['write']>>): string {
  if (written.kind !== 'written') throw new Error('this write should have passed');
  return written.version;
}

function leaseOf(acquired: Acquired) {
  if (acquired.kind !== 'held') throw new Error(`the lock is held by ${acquired.holder}`);
  return acquired.lease;
}
