import { describe, expect, test } from '@jest/globals';
import { readHead } from './engine/book.ts';
import { fold, toEntries } from './engine/seen.ts';
import { readStatus } from './engine/status.ts';
import { aPlatform, aRequest, handsOn, isAt, isOpen, quick } from './engine.rig.ts';
import { drive } from './engine.ts';
import { act } from './hands/act.ts';
import { drivingWith, type Hands } from './hands/hands.ts';
import { startRelease } from './hands/release.ts';
import type { Platform } from './platform/platform.ts';
import { evidenceOf } from './policy/evidence.ts';
import { replay } from './policy/turn.ts';
import { headline, statusText } from './report/status.ts';
import type { Spec } from './spec.ts';

describe('drive()', () => {
  test('releases the first version, promotes a good second one, and rolls a bad third one back', async () => {
    await using world = aPlatform();
    const hands = handsOn(world.ports);

    const first = await startRelease(hands, aRequest('v1'));
    const second = await startRelease(hands, aRequest('v2'));
    world.failing.add('blue');
    const third = await startRelease(hands, aRequest('v3'));

    expect([first.kind, second.kind, third.kind]).toEqual(['ended', 'ended', 'ended']);
    const head = await readHead(world.ports.journal, 'test', hands.signal);
    expect(head.history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'rolledBack']);
    expect(head.live).toBe('green');
    expect(await world.traffic.observe(hands.signal)).toMatchObject({ weights: { blue: 0, green: 100 } });
    expect(await startRelease(hands, aRequest('v3'))).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
    expect(await startRelease(hands, aRequest('v2'))).toMatchObject({ kind: 'nothing' });
  }, 60_000);

  test('leaves a journal from which every decision and the judge can be taken again', async () => {
    await using world = aPlatform();
    const hands = handsOn(world.ports);
    await startRelease(hands, aRequest('v1'));

    await startRelease(hands, aRequest('v2'));

    const { decisions, release } = await readHead(world.ports.journal, 'test', hands.signal);
    if (release === undefined) throw new Error('no release');
    const entries = toEntries(await world.ports.journal.readEvidence(release.id, hands.signal));
    for (const record of decisions.filter((other) => other.release === release.id)) {
      const again = replay(record, release);
      expect({ state: again.state, commands: again.commands }).toEqual({
        state: record.after,
        commands: record.commands,
      });
      // What the judge said then follows from the evidence up to then.
      const upTo = entries.findLastIndex((entry) => 'at' in entry && entry.at <= record.look.now);
      const state = fold(entries.slice(0, upTo + 1).filter(({ kind }) => kind !== 'hold'));
      if (state !== undefined && record.before.phase.kind === 'holding') {
        expect(evidenceOf(state, 0).logPromote).toBeCloseTo(record.look.evidence.logPromote ?? 0, 9);
      }
    }
  }, 60_000);

  test('sets the candidate to 0 when it is told to go, and the next act goes on', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const told = new AbortController();
    const slow = { ...quick, bakeMs: 100_000 };
    const emit: Hands['emit'] = (occurrence) => {
      if (occurrence.kind === 'decided' && occurrence.decision.state.phase.kind === 'holding') told.abort();
    };

    const interrupted = await startRelease(
      handsOn(world.ports, { spec: slow, signal: told.signal, emit }),
      aRequest('v2'),
    );

    expect(interrupted.kind).toBe('interrupted');
    expect(await world.traffic.observe(AbortSignal.timeout(1_000))).toMatchObject({ weights: { blue: 100, green: 0 } });
    const back = await act(handsOn(world.ports), 'rollback', { release: 2, reason: 'enough' });
    expect(back).toMatchObject({
      kind: 'ended',
      head: { live: 'blue', release: { state: { phase: { kind: 'rolledBack' } } } },
    });
  }, 60_000);

  test('refuses what is meant for another release', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));

    expect(await act(handsOn(world.ports), 'rollback', { release: 7, reason: '' })).toMatchObject({ kind: 'refused' });
  });

  test('is the only one: a second release waits, and a newer one takes its place', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const running = startRelease(handsOn(world.ports, { spec: { ...quick, bakeMs: 1_500 } }), aRequest('v2'));
    const waits = new Promise<void>((resolve) => {
      void startRelease(handsOn(world.ports, { say: () => resolve() }), aRequest('v3')).then((third) =>
        thirds.push(third),
      );
    });
    const thirds: unknown[] = [];
    await waits;

    const fourth = await startRelease(handsOn(world.ports), aRequest('v4'));

    expect(await running).toMatchObject({ kind: 'ended' });
    expect(fourth).toMatchObject({ kind: 'ended', head: { release: { id: 3 } } });
    const text = expect.stringMatching(/^superseded by revision v4\w*, which waits in its place$/);
    expect(thirds).toEqual([{ kind: 'superseded', text }]);
  }, 60_000);

  test('whoever asks for what is live and still watched goes on with it, and hears how the watch ends', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const told = new AbortController();
    const emit: Hands['emit'] = (occurrence) => {
      if (occurrence.kind === 'decided' && occurrence.decision.state.phase.kind === 'watching') told.abort();
    };
    const spec = { ...quick, watchMs: 2_000 };
    await startRelease(handsOn(world.ports, { spec, signal: told.signal, emit }), aRequest('v2'));
    world.failing.add('green');

    const again = await startRelease(handsOn(world.ports, { spec }), aRequest('v2'));

    expect(again).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
    const { history, live } = await readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
    expect([history.at(-1)?.outcome, live]).toEqual(['rolledBack', 'blue']);
  }, 60_000);

  test('rolls the running release back for a hotfix, and for a newer commit where that was asked for', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const slow = { ...quick, bakeMs: 100_000, onNewCommit: 'supersede' } as const;
    const second = startRelease(handsOn(world.ports, { spec: slow }), aRequest('v2'));
    await isAt(world.ports, 'holding');

    const third = startRelease(handsOn(world.ports, { spec: slow }), aRequest('v3'));
    expect(await second).toMatchObject({
      head: { release: { id: 2, state: { phase: { reason: { text: expect.stringContaining('superseded') } } } } },
    });
    await isAt(world.ports, 'holding');
    const fourth = await startRelease(handsOn(world.ports), { ...aRequest('v4'), hotfix: true });

    expect(await third).toMatchObject({
      head: { release: { id: 3, state: { phase: { reason: { text: expect.stringContaining('hotfix') } } } } },
    });
    expect(fourth).toMatchObject({ kind: 'ended', head: { release: { id: 4 } } });
  }, 60_000);

  test('a rollback waits for no driver that hangs: it closes the candidate itself', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const told = new AbortController();
    let hangs = false;
    const hanging: Platform = {
      ...world.ports,
      workload: {
        ...world.workload,
        observe: (lane, signal) => (hangs ? new Promise(() => {}) : world.workload.observe(lane, signal)),
      },
      wishes: {
        ...world.ports.wishes,
        read: (signal) => (hangs ? new Promise(() => {}) : world.ports.wishes.read(signal)),
      },
    };
    const slow = { ...quick, bakeMs: 100_000 };
    void startRelease(handsOn(hanging, { spec: slow, signal: told.signal }), aRequest('v2')).catch(() => {});
    await isAt(world.ports, 'holding');
    hangs = true;

    const back = act(handsOn(world.ports, { signal: told.signal }), 'rollback', { release: 2, reason: 'enough' });
    await isOpen(world.ports, 'green', 0);

    told.abort();
    await expect(back).rejects.toThrow();
  }, 60_000);

  test('hears a wish while it rests, where nobody brings it news', async () => {
    await using world = aPlatform();
    await startRelease(handsOn(world.ports), aRequest('v1'));
    const pace = { restMs: 30_000, alertMs: 30_000, transitMs: 10 };
    const told = new AbortController();
    const spec = { ...quick, bakeMs: 100_000 };
    const releasing = startRelease(handsOn(world.ports, { spec, pace, signal: told.signal }), aRequest('v2'));
    await isAt(world.ports, 'holding');
    const asked = performance.now();

    const held = await act(handsOn(world.ports), 'hold', { release: 2, reason: 'wait' });

    expect(held).toMatchObject({ kind: 'done' });
    expect(performance.now() - asked).toBeLessThan(5_000);
    told.abort();
    await releasing;
  }, 60_000);

  test('answers status from the journal alone', async () => {
    await using world = aPlatform();
    const hands = handsOn(world.ports);
    await startRelease(hands, aRequest('v1'));

    const facts = await readStatus(world.ports, { app: 'test' } as Spec, hands.signal);

    expect(facts).toMatchObject({ head: { live: 'blue' }, driver: undefined, flows: { blue: undefined } });
  });

  test('tells status its first line before it asks for the evidence', async () => {
    await using world = aPlatform();
    const hands = handsOn(world.ports);
    await startRelease(hands, aRequest('v1'));
    const { journal } = world.ports;
    const told: string[] = [];
    const readEvidence: typeof journal.readEvidence = (...release) => {
      told.push('evidence is asked for');
      return journal.readEvidence(...release);
    };

    const records = { ...world.ports, journal: { ...journal, readEvidence } };
    const facts = await readStatus(records, { app: 'test' } as Spec, hands.signal, (first) =>
      told.push(headline(first)),
    );

    expect(told).toEqual([statusText(facts)[0], 'evidence is asked for']);
  });

  test('has nothing to drive in an empty journal', async () => {
    await using world = aPlatform();
    const acquired = await world.ports.lock.acquire('kim@desk', AbortSignal.timeout(1_000));
    if (acquired.kind === 'busy') throw new Error('busy');

    expect(await drive(drivingWith(handsOn(world.ports), acquired.lease))).toMatchObject({
      kind: 'ended',
      head: { fence: 1 },
    });
  });
});
