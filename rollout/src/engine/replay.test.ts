import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import { openFileJournal } from '../journal/file.ts';
import { temporaryFolder } from '../journal/folder.rig.ts';
import type { Evidence } from '../policy/look.ts';
import { agreementOf, saidIn } from '../report/replay.ts';
import type { Occurrence } from './occurrence.ts';
import { readReplay } from './replay.ts';

const signal = () => AbortSignal.timeout(5_000);

/** A good release and a bad one, driven on files; `heard` is what the judge said at each look while it compared. */
async function released() {
  const folder = await temporaryFolder();
  await using world = aPlatform();
  const records = openFileJournal(folder.path);
  const heard = new Map<number, Evidence>();
  const emit = (occurrence: Occurrence) => {
    if (occurrence.kind === 'looked') heard.set(occurrence.at, occurrence.look.evidence);
  };
  const hands = handsOn({ ...world.ports, ...records }, { emit });
  await startRelease(hands, aRequest('v1'));
  await startRelease(hands, aRequest('v2'));
  world.failing.add('blue');
  await startRelease(hands, aRequest('v3'));
  return { records: openFileJournal(folder.path), heard, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test('readReplay() gives every verdict that the engine acted on again, bit by bit, from its files', async () => {
  await using driven = await released();

  const replays = await Promise.all([2, 3].map((release) => readReplay(driven.records, release, {}, signal())));

  for (const replay of replays) {
    const points = replay?.recorded.points ?? [];
    expect(points.length).toBeGreaterThanOrEqual(2);
    for (const { at, verdict } of points) {
      const { kind, logRollback, logPromote } = verdict;
      expect(driven.heard.get(at)).toMatchObject({ verdict: kind, logRollback, logPromote: logPromote ?? undefined });
    }
    const { same, compared } = agreementOf(replay!);
    expect(compared).toBeGreaterThan(0);
    expect(same).toBe(compared);
  }
  expect(replays.map((replay) => replay?.ended?.outcome)).toEqual(['promoted', 'rolledBack']);
  expect(replays.map((replay) => saidIn(replay!.recorded).at(-1)?.kind)).toEqual(['promote', 'rollback']);
}, 60_000);

test('readReplay() tells a judge with other settings from the one on record, and a record that another judge wrote', async () => {
  await using driven = await released();

  const replay = (await readReplay(driven.records, 3, { alpha: 1e-9, bakeSec: 60 }, signal()))!;
  const doubtful = replay.decisions.map((decision) => ({
    ...decision,
    look: { ...decision.look, evidence: { ...decision.look.evidence, logRollback: 1 } },
  }));

  expect(replay.other?.settings).toMatchObject({ alpha: 1e-9, bakeSec: 60, beta: 0.01 });
  expect(saidIn(replay.other!).filter(({ kind }) => kind === 'rollback')).toEqual([]);
  expect(agreementOf({ ...replay, decisions: doubtful }).same).toBe(0);
  expect(await readReplay(driven.records, 9, {}, signal())).toBeUndefined();
}, 60_000);
