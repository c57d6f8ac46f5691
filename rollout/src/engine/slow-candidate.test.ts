import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import type { Processes } from '../metrics/processes.ts';
import { evidenceOf, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { readHead } from './book.ts';
import { toEntries } from './seen.ts';

/** One proxy per lane that answers 2,000 requests a second: blue's take some 40 ms, green's twice that. */
function proxies(): Processes {
  const begun = performance.now();
  return {
    async observe(lane) {
      const each = Math.round((2 * (performance.now() - begun)) / 11);
      const middle = lane === 'blue' ? 75 : 90;
      const buckets = Array.from({ length: 11 }, (_, i) => [`latency/${middle - 5 + i}`, each] as const);
      const series = { latency: 11 * each, startedAtSec: 0, ...Object.fromEntries(buckets) };
      return [{ id: lane, ready: true, series }];
    },
  };
}

test('a candidate that is twice as slow and fails nothing is rolled back, and the journal gives every verdict again', async () => {
  await using world = aPlatform();
  const ports = { ...world.ports, processes: proxies() };
  const spec = { ...quick, bakeMs: 120_000, latency: 'rollback' } as const;
  await startRelease(handsOn(ports, { spec }), aRequest('v1'));

  await startRelease(handsOn(ports, { spec }), aRequest('v2'));

  const { history, decisions, release } = await readHead(ports.journal, 'test', AbortSignal.timeout(1_000));
  expect(history.at(-1)).toMatchObject({
    outcome: 'rolledBack',
    text: expect.stringContaining('slower than tolerated'),
  });
  const [first, ...rest] = toEntries(await ports.journal.readEvidence(release?.id ?? 0, AbortSignal.timeout(1_000)));
  if (first?.kind !== 'start') throw new Error('evidence begins with its settings');
  expect(first.settings.slow).toEqual(['latency']);
  let state = startEvidence(first.settings);
  const said = rest.map((entry) => {
    state = foldEvidence(state, entry);
    return JSON.stringify(evidenceOf(state, 0));
  });
  for (const { look } of decisions.filter(
    ({ release: id, before }) => id === release?.id && before.phase.kind === 'holding',
  )) {
    expect(said).toContain(JSON.stringify({ ...look.evidence, blindMs: 0, forecast: undefined }));
  }
}, 90_000);
