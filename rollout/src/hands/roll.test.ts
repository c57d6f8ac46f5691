import { expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { readStatus } from '../engine/status.ts';
import { aPlatform, handsOn, quick } from '../engine.rig.ts';
import { HeadgateError } from '../errors.ts';
import { openMemoryJournal } from '../journal/memory.ts';
import { instant } from '../lane.ts';
import { emptyHead, type Head } from '../policy/release.ts';
import { explainRoll } from '../report/rolling.ts';
import { statusState } from '../report/state.ts';
import { statusText } from '../report/status.ts';
import type { Revision } from '../revision.ts';
import { aRevision } from '../workload/revision.rig.ts';
import { needsRestore, startRelease } from './release.ts';
import { type ApplyRoll, previewRoll, roll, unroll } from './roll.ts';
import { waitFor } from './wait.ts';

const [one, two] = [aRevision({ commit: 'one' }), aRevision({ commit: 'two' })];

/** Revision one is live in lane blue, and release 1 has brought it there. */
async function aLiveLane(change: (head: Head) => Head = (head) => head) {
  const platform = aPlatform(0);
  const { workload } = platform;
  const { takeOver, ...records } = openMemoryJournal();
  const ports = { ...platform.ports, ...records };
  const signal = AbortSignal.timeout(10_000);
  await workload.setRevision('blue', one, signal);
  await workload.scale('blue', { proxy: 1, rating: 1 }, signal);
  const phase = { kind: 'retired', since: 1 };
  const release = { id: 1, revision: one, candidate: 'blue', state: { phase, live: 'blue', pins: [] }, plan: {} };
  const lanes = { blue: one, green: undefined };
  const head = {
    ...emptyHead('test'),
    live: 'blue',
    lanes,
    revisions: [one],
    nextRelease: 2,
    release,
  } as unknown as Head;
  await ports.journal.write(JSON.parse(JSON.stringify(change(head))), undefined, signal);
  const hands = handsOn(ports);
  const sets: ApplyRoll = async ({ lane, revision }) => {
    await workload.setRevision(lane, revision, signal);
    return true;
  };
  return {
    ...platform,
    ports,
    takeOver,
    hands,
    sets,
    head: () => readHead(ports.journal, 'test', signal),
    seen: () => workload.observe('blue', signal),
  };
}

function aRequest(revision: Revision) {
  return { revision, actor: 'kim@desk', reason: 'a fix', ancestry: 'unknown', insist: false } as const;
}

test('roll() has it on record once every instance of live has it, and there is a way back', async () => {
  await using live = await aLiveLane();

  const handled = await roll(live.hands, aRequest(two), live.sets);

  const head = await live.head();
  expect(handled).toMatchObject({ kind: 'ended', release: 2 });
  expect(head).toMatchObject({ live: 'blue', lanes: { blue: { id: two.id } }, nextRelease: 3, rolling: undefined });
  expect(head.history).toMatchObject([{ id: 2, strategy: 'rolling', outcome: 'promoted' }]);
  expect(head.revisions.map(({ id }) => id)).toEqual([one.id, two.id]);
  expect(needsRestore(head, undefined, instant(2))).toBe(true);
});

test('roll() gives live no other queue', async () => {
  await using live = await aLiveLane();
  const queue = { url: 'nats://nats:4222', adopt: 'bind', existing: { stream: 'requests', consumers: {} } } as const;
  const hands = { ...live.hands, spec: { ...live.hands.spec, queue } };

  const handled = await roll(hands, aRequest(two), live.sets);

  expect(handled).toMatchObject({ kind: 'refused', code: 'REFUSED' });
  expect((await live.seen()).revision).toBe(one.id);
});

test('roll() says from and to before anything is changed', async () => {
  await using live = await aLiveLane();
  let before: Head | undefined;

  await roll(live.hands, aRequest(two), async () => {
    before = await live.head();
    return false;
  });

  expect(before).toMatchObject({ lanes: { blue: { id: one.id } }, rolling: { id: 2, revision: { id: two.id } } });
});

test('roll() brings live back when it does not come up, and the revision does not come back by itself', async () => {
  await using live = await aLiveLane();

  const handled = await roll(live.hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    return false;
  });
  const again = await roll(live.hands, aRequest(two), live.sets);

  expect(handled).toMatchObject({ kind: 'ended', head: { history: [{ id: 2, outcome: 'rolledBack' }] } });
  expect((await live.seen()).revision).toBe(one.id);
  expect(again).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
  expect((await live.head()).lanes.blue?.id).toBe(one.id);
});

test('roll() fails as for a pager where what live had does not come up again, until somebody brings it back', async () => {
  await using live = await aLiveLane();
  const { workload } = live;
  const failure = { reason: 'quota', message: 'exceeded quota', logLines: [] } as const;

  const failed = roll(live.hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    await workload.setRevision('blue', one, signal);
    workload.crash('blue', 'proxy', failure);
    return false;
  });

  await expect(failed).rejects.toMatchObject({
    code: 'ROLLBACK_FAILED',
    message: expect.stringContaining('exceeded quota'),
  });
  expect(await live.head()).toMatchObject({ rolling: { id: 2 }, history: [] });
  await workload.setRevision('blue', two, AbortSignal.timeout(1_000)); // What crashed is forgotten with its revision.
  const back = await unroll(live.hands, { release: 2, reason: 'the quota is raised' });
  expect(back).toMatchObject({ kind: 'ended', head: { rolling: undefined, history: [{ outcome: 'rolledBack' }] } });
}, 30_000);

test('roll() fails as for a pager where what live had cannot be set', async () => {
  await using live = await aLiveLane();
  const refused = new HeadgateError('CLUSTER_REFUSED', 'patch deployments is forbidden', { hint: 'ask' });
  const workload = { ...live.workload, setRevision: () => Promise.reject(refused) };
  const hands = { ...live.hands, ports: { ...live.ports, workload } };

  const failed = roll(hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    return false;
  });

  await expect(failed).rejects.toMatchObject({
    code: 'ROLLBACK_FAILED',
    message: expect.stringContaining('is forbidden'),
  });
});

test('roll() that is told to go sets what live had, and does not say that it was seen', async () => {
  await using live = await aLiveLane();
  const told = new AbortController();

  const handled = await roll({ ...live.hands, signal: told.signal }, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    told.abort();
    return false;
  });

  expect(handled).toMatchObject({ kind: 'interrupted', text: 'live gets back what it had' });
  expect([(await live.seen()).revision, (await live.head()).quarantined]).toEqual([one.id, []]);
});

test('roll() believes what it sees, and not that it was carried out', async () => {
  await using live = await aLiveLane();

  const handled = await roll(live.hands, aRequest(two), async () => true);

  const text = `its revision is ${one.id.slice(0, 8)} and not ${two.id.slice(0, 8)}`;
  expect(handled).toMatchObject({ kind: 'ended', head: { history: [{ outcome: 'rolledBack', text }] } });
});

test('roll() of what is live repairs it and leaves no record', async () => {
  await using live = await aLiveLane();

  const handled = await roll(live.hands, aRequest(one), live.sets);

  expect(handled.kind).toBe('nothing');
  expect(await live.head()).toMatchObject({ history: [], nextRelease: 2 });
});

test.each<{ when: string; change: (head: Head) => Head; says: string }>([
  { when: 'nothing is live', change: (head) => ({ ...head, live: undefined }), says: 'nothing is live yet' },
  {
    when: 'a release runs',
    change: (head) => ({
      ...head,
      release: {
        ...head.release!,
        state: { ...head.release!.state, phase: { kind: 'holding', step: 0, since: instant(1) } },
      },
    }),
    says: 'release 1 is holding',
  },
  {
    when: 'the version before is kept warm',
    change: (head) => ({ ...head, lanes: { ...head.lanes, green: two } }),
    says: 'kept warm in lane green',
  },
])('roll() is refused while $when, and changes nothing', async ({ change, says }) => {
  await using live = await aLiveLane(change);

  const handled = await roll(live.hands, aRequest(two), () => Promise.reject(new Error('it was applied')));

  expect(handled).toMatchObject({ kind: 'refused', code: 'REFUSED', text: expect.stringContaining(says) });
  expect((await live.head()).rolling).toBeUndefined();
});

test('a release beside what is live is refused where the strategy is rolling, and `headgate roll` named', async () => {
  await using live = await aLiveLane();
  const { spec } = live.hands;
  const hands = { ...live.hands, spec: { ...spec, release: { ...spec.release, strategy: 'rolling' } } } as const;

  const handled = await startRelease(hands, { ...aRequest(two), hotfix: false, deadLetterBacklog: false, probe: 'p' });

  expect(handled).toMatchObject({ kind: 'refused', text: expect.stringContaining('run `headgate roll`') });
});

test.each([
  { isGood: true, state: 'idle', says: 'was carried out after 0 s: every instance of the live lane has it' },
  { isGood: false, state: 'rolledBack', says: 'was rolled back after 0 s: its instances did not come up' },
])('status, why and wait tell how a rolling update ended ($state)', async ({ isGood, state, says }) => {
  await using live = await aLiveLane();
  await roll(live.hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    return isGood;
  });

  const facts = await readStatus(live.ports, live.hands.spec, AbortSignal.timeout(1_000));

  const sentence = expect.stringContaining(`rolling update 2 (${two.id.slice(0, 8)}) ${says}`);
  expect([statusState(facts), statusText(facts).at(-1), explainRoll(facts.head, 2)?.[0]]).toEqual([
    state,
    sentence,
    sentence,
  ]);
  expect(explainRoll(facts.head, 1)).toBeUndefined();
  expect(await waitFor(live.hands, 'ended', 1_000)).toMatchObject({ kind: 'ended', release: 2 });
});

test('whoever waits is not told of an end while a rolling update is under way', async () => {
  await using live = await aLiveLane();
  let seen: unknown;

  await roll(live.hands, aRequest(two), async (rolled, signal) => {
    const facts = await readStatus(live.ports, live.hands.spec, signal);
    seen = [statusText(facts)[0], explainRoll(facts.head, 2), (await waitFor(live.hands, 'ended', 0)).kind];
    await live.sets(rolled, signal);
    return true;
  });

  const update = `update 2 of live to ${two.id.slice(0, 8)}, by kim@desk: a fix`;
  expect(seen).toEqual(['test · rolling update 2 · for 0 s', [update, 'it has no end yet'], 'timeout']);
});

test('roll() leaves the live lane to whoever holds the lock', async () => {
  await using live = await aLiveLane();
  await using _held = await heldBy(live.ports.lock);

  await expect(roll(live.hands, aRequest(two), live.sets)).rejects.toMatchObject({
    code: 'LOCK_HELD',
    message: expect.stringContaining('lee@desk drives'),
  });
});

test('roll() stops where it is when its lock is lost, and leaves the lane and the record to whoever has it', async () => {
  await using live = await aLiveLane();

  const rolling = roll(live.hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    live.takeOver('lee@desk');
    return false;
  });

  await expect(rolling).rejects.toMatchObject({ code: 'LOCK_HELD', message: expect.stringContaining('was lost') });
  expect([(await live.seen()).revision, (await live.head()).rolling?.id]).toEqual([two.id, 2]);
});

test('unroll() ends what a killed driver left: until then no release begins, and `status` says so', async () => {
  await using live = await aLiveLane();
  const killed = roll(live.hands, aRequest(two), async (rolled, signal) => {
    await live.sets(rolled, signal);
    throw new Error('killed');
  });
  await expect(killed).rejects.toThrow('killed');

  const shown = statusText(await readStatus(live.ports, live.hands.spec, AbortSignal.timeout(1_000)));
  const refused = await startRelease(live.hands, {
    ...aRequest(two),
    hotfix: false,
    deadLetterBacklog: false,
    probe: 'p',
  });
  const stale = await unroll(live.hands, { release: 1, reason: 'an old terminal' });
  const handled = await unroll(live.hands, { release: 2, reason: 'as asked' });

  expect(shown.find((line) => line.startsWith('  rolling'))).toContain(
    `update 2 of live to ${two.id.slice(0, 8)}, by kim@desk: a fix; nobody drives it`,
  );
  expect(refused).toMatchObject({ kind: 'refused', text: expect.stringContaining('rolling update 2 to revision') });
  expect(stale).toMatchObject({ kind: 'refused', text: expect.stringContaining('that is release 2') });
  expect(handled).toMatchObject({ kind: 'ended', head: { rolling: undefined, history: [{ outcome: 'rolledBack' }] } });
  expect((await live.seen()).revision).toBe(one.id);
});

const image = `registry.example/migrate@sha256:${'a'.repeat(64)}`;

/** As `aLiveLane`, of an app with a migration. */
async function aMigratingLane(command: string) {
  const live = await aLiveLane();
  const said: string[] = [];
  const hands = handsOn(live.ports, {
    spec: { ...quick, migrate: { image, command: [command] } },
    say: (line) => said.push(line),
  });
  return { ...live, hands, said };
}

test('roll() runs the migration before live is touched, once for each content', async () => {
  await using live = await aMigratingLane('up');
  const { runs } = live.migrations;
  const seen: unknown[] = [];
  const apply: ApplyRoll = async (rolled, signal) => {
    seen.push(runs.length, (await live.seen()).revision, (await live.head()).rolling?.id);
    return live.sets(rolled, signal);
  };

  const handled = await roll(live.hands, aRequest(two), apply);
  const again = await roll(live.hands, aRequest(aRevision({ commit: 'three' })), apply);

  expect([handled, again].map(({ kind }) => kind)).toEqual(['ended', 'ended']);
  expect(runs.map(({ lane, release, revision }) => [lane, release, revision.id])).toEqual([['blue', 2, two.id]]);
  expect(seen).toEqual([1, one.id, 2, 1, two.id, 3]);
});

test('roll() changes nothing of live when the migration fails, and tells its last words', async () => {
  await using live = await aMigratingLane('no such table');
  live.unmigrated.add('no such table');
  const before = await live.seen();

  const handled = await roll(live.hands, aRequest(two), () => Promise.reject(new Error('it was applied')));

  const ended = { id: 2, outcome: 'rolledBack', text: 'the migration failed: no such table' };
  expect(handled).toMatchObject({ kind: 'ended', head: { rolling: undefined, history: [ended] } });
  expect(await live.seen()).toEqual(before);
  expect((await live.head()).lanes.blue?.id).toBe(one.id);
});

test('roll() that is told to go while the migration runs leaves live as it is, and the revision may come again', async () => {
  await using live = await aMigratingLane('up');
  const told = new AbortController();
  const migrations = {
    run: async () => told.abort(),
    observe: async () => ({ kind: 'running', text: 'Pulling' }) as const,
  };
  const hands = { ...live.hands, ports: { ...live.ports, migrations }, signal: told.signal };

  const handled = await roll(hands, aRequest(two), () => Promise.reject(new Error('it was applied')));

  expect(handled).toMatchObject({ kind: 'interrupted', head: { rolling: undefined, quarantined: [] } });
  expect(live.said).toEqual(['the migration runs (Pulling)']);
  expect((await live.seen()).revision).toBe(one.id);
});

test('roll() of what is live already runs no migration', async () => {
  await using live = await aMigratingLane('up');

  await roll(live.hands, aRequest(one), live.sets);

  expect(live.migrations.runs).toEqual([]);
});

test('previewRoll() says that a migration would be run first, and runs none', async () => {
  await using live = await aMigratingLane('up');

  await previewRoll(live.hands, aRequest(two), async () => true);

  expect(live.said).toEqual(['the migration would run first: up']);
  expect(live.migrations.runs).toEqual([]);
});

test('previewRoll() tells what would be changed with neither lock nor record', async () => {
  await using live = await aLiveLane();
  await using _held = await heldBy(live.ports.lock);
  const before = await live.head();

  const handled = await previewRoll(live.hands, aRequest(two), async ({ lane, fence }) => {
    expect([lane, fence]).toEqual(['blue', before.fence + 1]);
    return true;
  });

  expect(handled.kind).toBe('nothing');
  expect(await live.head()).toEqual(before);
});

async function heldBy(lock: Awaited<ReturnType<typeof aLiveLane>>['ports']['lock']) {
  const acquired = await lock.acquire('lee@desk', AbortSignal.timeout(1_000));
  if (acquired.kind !== 'held') throw new Error('somebody holds it');
  return acquired.lease;
}
