import { expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import type { Hands } from '../hands/hands.ts';
import { startRelease } from '../hands/release.ts';
import { lastWordsIn } from './last-words.ts';
import type { Phase } from './phase.ts';
import { replay } from './turn.ts';

const failure = {
  reason: 'crash',
  message: 'proxy ended with exit code 1',
  logLines: ['Error: no table', `    at ${'x'.repeat(300)}`],
} as const;
const words = ['Error: no table', `    at ${'x'.repeat(193)}`];

/** The second of two releases, whose proxy crashes in this phase. */
async function crashedIn(kind: Phase['kind']) {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const emit: Hands['emit'] = (occurrence) => {
    if (occurrence.kind === 'decided' && occurrence.decision.state.phase.kind === kind)
      world.workload.crash('green', 'proxy', failure);
  };
  const spec = { ...quick, watchMs: 20_000, bakeMs: kind === 'watching' ? quick.bakeMs : 100_000 };
  await startRelease(handsOn(world.ports, { spec, emit }), aRequest('v2'));
  return readHead(world.ports.journal, 'test', AbortSignal.timeout(5_000));
}

test.each(['holding', 'watching'] as const)(
  'lastWordsIn() has what a new version that crashes while %s said last, cut; the journal keeps it once',
  async (kind) => {
    const head = await crashedIn(kind);

    expect(head.history.at(-1)).toMatchObject({
      outcome: 'rolledBack',
      text: expect.stringMatching(/lost its last ready proxy .*\(proxy: crash: proxy ended with exit code 1\)$/),
    });
    expect(lastWordsIn(head, 2)).toEqual(words);
    expect(lastWordsIn(head, 1)).toEqual([]);
    expect(JSON.stringify(head).split('no table')).toHaveLength(2);
    for (const record of head.decisions.filter(({ release }) => release === 2))
      expect(head.release && replay(record, head.release).state).toEqual(record.after);
  },
  60_000,
);

test('lastWordsIn() has none of a release that a person took back, whatever crashed before', async () => {
  const head = await crashedIn('holding');
  const byHand = { kind: 'person', text: 'rolled back by kim@desk' } as const;
  const decisions = head.decisions.map((record) => {
    const { phase } = record.after;
    return phase.kind === 'rollingBack'
      ? { ...record, after: { ...record.after, phase: { ...phase, reason: byHand } } }
      : record;
  });

  expect(lastWordsIn({ decisions }, 2)).toEqual([]);
}, 60_000);
