import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import type { ReleaseSpec } from '../spec.ts';
import { readHead } from './book.ts';
import { fold, toEntries } from './seen.ts';

const signal = () => AbortSignal.timeout(1_000);
/** Two requests of users a second are hours too few. How many there are is known after 30 s, so the releases run side by side. */
const usersPerSec = 2;
const spec: ReleaseSpec = {
  ...quick,
  tolerate: 'relaxed',
  deadlineMs: 90_000,
  synthetic: { requests: ['/a', '/b'], perSec: 100 },
};

async function history({ ports }: ReturnType<typeof aPlatform>) {
  const { history } = await readHead(ports.journal, 'test', signal());
  return history.at(-1);
}

test.concurrent('where users send too little, synthetic requests to both lanes decide about the promotion, and the journal says since when', async () => {
  await using world = aPlatform(usersPerSec);
  await startRelease(handsOn(world.ports, { spec }), aRequest('v1'));

  await startRelease(handsOn(world.ports, { spec }), aRequest('v2'));

  expect(await history(world)).toMatchObject({ outcome: 'promoted' });
  const entries = toEntries(await world.ports.journal.readEvidence(2, signal()));
  const thin = entries.findIndex(({ kind }) => kind === 'thin');
  const sent = (some: typeof entries) =>
    some.reduce(
      (sum, entry) => sum + (entry.kind === 'sample' ? (entry.sample.probes?.candidate.requests ?? 0) : 0),
      0,
    );
  expect(sent(entries.slice(0, thin))).toBe(0);
  expect(sent(entries.slice(thin))).toBeGreaterThan(100);
  const upToWatch = entries.slice(
    0,
    entries.findIndex(({ kind }) => kind === 'watch'),
  );
  expect(fold(upToWatch)?.verdict.rules.map(({ name, logPromote }) => [name, logPromote !== null])).toEqual(
    expect.arrayContaining([
      ['failed', false],
      ['probe-failed', true],
    ]),
  );
}, 90_000);

test.concurrent('a candidate that answers them badly is rolled back', async () => {
  await using world = aPlatform(usersPerSec);
  await startRelease(handsOn(world.ports, { spec }), aRequest('v1'));
  world.failing.add('green');

  await startRelease(handsOn(world.ports, { spec }), aRequest('v2'));

  expect(await history(world)).toMatchObject({
    outcome: 'rolledBack',
    text: expect.stringContaining('answers the synthetic requests worse than live'),
  });
}, 90_000);

test.concurrent('without one request of a user nobody is promoted, however good the answers are, and at the deadline what was chosen happens', async () => {
  await using world = aPlatform(0);
  const short = { ...spec, deadlineMs: 42_000, atDeadline: 'rollback' } as const;
  await startRelease(handsOn(world.ports, { spec: short }), aRequest('v1'));

  await startRelease(handsOn(world.ports, { spec: short }), aRequest('v2'));

  expect(await history(world)).toMatchObject({ outcome: 'rolledBack', text: 'not promoted within 1 min' });
  const entries = toEntries(await world.ports.journal.readEvidence(2, signal()));
  expect(fold(entries)?.verdict.logPromote).toBeGreaterThan(Math.log(100));
  const holds = entries.flatMap((entry) => (entry.kind === 'hold' ? [entry.reason] : []));
  expect(holds).toContain('no-traffic');
}, 90_000);
