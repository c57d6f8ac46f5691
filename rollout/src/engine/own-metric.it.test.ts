import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import { startHook } from '../metrics/hook.rig.ts';
import { evidenceOf, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { explain } from '../report/explain.ts';
import type { MetricSpec, ReleaseSpec } from '../spec.ts';
import { readHead } from './book.ts';
import { toEntries } from './seen.ts';
import { storyOf } from './story.ts';

/** Both lanes place 5,000 orders a second; green loses every fifth, and its answers take 0.9 s. */
function startOrders() {
  const begun = performance.now();
  return startHook((path) => {
    const total = Math.round(5 * (performance.now() - begun));
    const isGreen = path.endsWith('green');
    return { total, failures: isGreen ? Math.floor(total / 5) : 0, value: isGreen ? 0.9 : 0.1 };
  });
}

async function released(metrics: (url: string) => ReleaseSpec['metrics'], spec = quick) {
  await using world = aPlatform();
  await using hook = await startOrders();
  const judged = { ...spec, metrics: metrics(`${hook.url}/$(LANE)`) };
  await startRelease(handsOn(world.ports, { spec: judged }), aRequest('v1'));
  await startRelease(handsOn(world.ports, { spec: judged }), aRequest('v2'));
  const signal = AbortSignal.timeout(1_000);
  const { history, decisions } = await readHead(world.ports.journal, 'test', signal);
  const entries = toEntries(await world.ports.journal.readEvidence(2, signal));
  const story = storyOf(entries);
  if (story === undefined) throw new Error('the journal has evidence');
  return { ended: history.at(-1), decisions: decisions.filter(({ release }) => release === 2), entries, story };
}

const orders = (url: string, dryRun = false): MetricSpec => ({
  kind: 'failures',
  from: { kind: 'webhook', url },
  tolerate: 'default',
  dryRun,
});
const limit = (url: string, dryRun = false): MetricSpec => ({
  kind: 'limit',
  from: { kind: 'webhook', url },
  min: undefined,
  max: 0.5,
  looks: 2,
  dryRun,
});
const patient = { ...quick, bakeMs: 60_000 };

test("a candidate whose requests are fine and whose user's own metric is bad is rolled back, and the journal gives every verdict again", async () => {
  const { ended, decisions, entries } = await released((url) => ({ orders: orders(url) }), patient);

  expect(ended).toMatchObject({
    outcome: 'rolledBack',
    text: expect.stringMatching(/^the candidate fails more than tolerated by orders: \d+ of \d+ against 0 of \d+$/),
  });
  const [first, ...rest] = entries;
  if (first?.kind !== 'start') throw new Error('evidence begins with its settings');
  let state = startEvidence(first.settings);
  const said = rest.map((entry) => {
    state = foldEvidence(state, entry);
    return JSON.stringify(evidenceOf(state, 0));
  });
  const holding = decisions.filter(({ before }) => before.phase.kind === 'holding');
  expect(holding.length).toBeGreaterThan(0);
  for (const { look } of holding)
    expect(said).toContain(JSON.stringify({ ...look.evidence, blindMs: 0, forecast: undefined }));
}, 90_000);

test('a candidate beyond a static limit is rolled back, and every word about it says that a limit has no error rate', async () => {
  const { ended, story } = await released((url) => ({ p99: limit(url) }), patient);

  const words = '0.9, live 0.1; a static limit, at most 0.5: it has no error rate';
  expect(ended).toMatchObject({
    outcome: 'rolledBack',
    text: `the candidate is beyond the limit of p99: ${words}`,
  });
  expect(explain(story)).toContainEqual(
    expect.stringMatching(/^ {2}limit p99 +beyond it, alone in the last 2 readings \(2 roll back\): /),
  );
}, 90_000);

test('on their dry run both are shown and the candidate is promoted', async () => {
  const { ended, story } = await released((url) => ({ orders: orders(url, true), p99: limit(url, true) }), {
    ...quick,
    bakeMs: 15_000, // They are read every two seconds.
  });

  expect(ended).toMatchObject({ outcome: 'promoted' });
  expect(explain(story)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^ {2}metric orders +worse \d{3,}\+?:1 \(dry run, not counted\).*; \d+ of \d+ \(2\d\.\d\d %\)/,
      ),
      expect.stringMatching(/^ {2}limit p99 +beyond it.* it has no error rate \(dry run, not counted\)$/),
    ]),
  );
}, 90_000);
