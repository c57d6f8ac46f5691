import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { noEvidence } from '../policy/look.ts';
import type { Head } from '../policy/release.ts';
import { orderOf, revisionNamed } from '../simulate/named.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { picture } from './picture.ts';
import { statusState } from './state.ts';
import { type StatusFacts, statusText } from './status.ts';
import { duration, odds } from './words.ts';

function factsAfter(...lines: string[]): StatusFacts {
  const play = newPlay();
  for (const line of lines) perform(play, line);
  return {
    head: play.head,
    now: instant(play.world.now),
    driver: 'kim@desk',
    flows: {
      blue: { perSecond: 212, requests: 2120, failed: 2, lag: 3, oldestMs: 0 },
      green: { perSecond: 71, requests: 710, failed: 1, lag: 1, oldestMs: 40 },
    },
    evidence: { ...noEvidence, logRollback: Math.log(1 / 3), logPromote: Math.log(31) },
    hold: { reason: 'evidence', why: 'not enough evidence yet' },
    metrics: [],
    uneven: false,
    forecast: { requests: 340, ms: 120_000, perSec: 283, by: 'users', back: { requests: 60, ms: 2_000 } },
    needed: { rollback: Math.log(100), promote: Math.log(100) },
  };
}

test('statusText() answers the four questions of the person on call', () => {
  const facts = factsAfter('live v1', 'release v2', 'verdict hold progress=0.4', 'until holding (step 1)', 'for 12');

  expect(statusText(facts)).toEqual([
    'play · release 1 · canary · at 25 % for 12 s · next step in 48 s at the earliest',
    '  live       blue   v1000000    75 %  212 req/s  0.09 % failed  lag 3, oldest 0.0 s',
    '  candidate  green  v2000000    25 %   71 req/s  0.14 % failed  lag 1, oldest 0.0 s',
    '  evidence   worse than tolerated 1:3 (rolls back at 100:1) · good enough 31:1 (promotes at 100:1)',
    '  forecast   as good as live it is promoted after about 340 of its requests, 2 min at 280/s; failing 10 % it goes back after 60, less than a minute',
    '  because    not enough evidence yet',
    '  started    by kim@desk: a merge · to stop it: headgate rollback',
  ]);
  expect(statusState(facts)).toBe('releasing');
});

test('statusText() tells who wonders that a candidate without requests is not rolled back', () => {
  const facts = factsAfter('live v1', 'release v2', 'verdict hold', 'until holding (step 0)');

  expect(statusText({ ...facts, uneven: true })).toContain(
    '  uncounted  a process of router or lanes is silent: whether requests get lost on the way cannot be told',
  );
});

test.each([
  { driver: 'controller', more: '' },
  {
    driver: 'cli',
    more: '; its own command begins it: if that is gone, run it again, or the next release that begins takes it off',
  },
] as const)('statusText() names what waits, and how it begins with driver $driver', ({ driver, more }) => {
  const order = { request: orderOf(revisionNamed('v3')), spec: { kubernetes: { driver } }, restores: false };
  const waiting = { id: 'w', order } as unknown as NonNullable<Head['waiting']>;
  const [running, idle] = [['live v1', 'release v2', 'verdict hold'], ['live v1']].map((lines) => {
    const facts = factsAfter(...lines);
    return statusText({ ...facts, head: { ...facts.head, waiting } });
  });

  const line = `  waits      revision v3000000, by kim@desk${more}`;
  expect(running?.at(-1)).toBe(line);
  expect(idle?.at(-1)).toBe(line);
});

test('statusText() says who is pinned where, and what is asked for and not there yet', () => {
  const facts = factsAfter(
    'live v1',
    'release v2',
    'pin X-Team=qa candidate',
    'pin X-Calm=1 live',
    'verdict hold',
    'until holding (step 0)',
    'unpin X-Calm=1',
  );

  expect(statusText(facts).filter((line) => line.includes('pinned'))).toEqual([
    '  pinned     X-Team=qa leads to the candidate, lane green · by kim@desk: as asked',
  ]);
});

test("statusText() says that the lane of a bad version has live's workers, as live's own did not take its backlog over", () => {
  const back = [
    'live v1',
    'release v2 deaf',
    'until holding (step 0)',
    'verdict rollback',
    'until rollingBack (binding)',
  ];
  const headline = (...more: string[]) => statusText(factsAfter(...back, ...more))[0];

  expect(headline('for 9')).toBe('play · release 1 · canary · rolling back (binding) for 9 s');
  expect(headline('for 10')).toBe(
    "play · release 1 · canary · rolling back (binding, by live's revision in its lane) for 0 s",
  );
});

test("statusText() shows the user's own metrics below the evidence", () => {
  const facts = factsAfter('live v1', 'release v2', 'verdict hold progress=0.4', 'until holding (step 1)');

  const lines = statusText({ ...facts, metrics: ['limit p99  within it: 0.3'] });

  expect(lines[4]).toBe('  limit p99  within it: 0.3');
});

test('statusText() says that an A/B test runs, who is in it, and how it ends', () => {
  const facts = factsAfter('live v1', 'release v2 strategy=ab pins=X-Variant:b', 'until holding (step 0)', 'for 12');

  const [headline, , , ...rest] = statusText({ ...facts, forecast: undefined });

  expect(headline).toBe('play · release 1 · ab · A/B test for 12 s');
  expect(rest).toEqual([
    '  pinned     X-Variant=b leads to the candidate, lane green · by headgate.yaml: the A/B test',
    expect.stringMatching(/^ {2}evidence /),
    '  because    not enough evidence yet',
    '  started    by kim@desk: a merge · to end the test: headgate promote or headgate rollback',
  ]);
  expect(statusState(facts)).toBe('releasing');
});

test('statusText() says how the last release ended when nothing runs', () => {
  const facts = factsAfter(
    'live v1',
    'release v2',
    'verdict hold',
    'until holding (step 0)',
    'verdict rollback text=failed',
    'until rolledBack',
    'for 60',
  );

  expect(statusText(facts).at(-1)).toBe('  last       release 1 (v2000000) was rolled back 1 min ago: failed');
  expect(statusState(facts)).toBe('rolledBack');
});

test('statusState() pages when weight 0 is not confirmed', () => {
  const facts = factsAfter(
    'live v1',
    'release v2',
    'verdict hold',
    'until holding (step 0)',
    'verdict rollback text=failed',
    'world blind weights',
    'for 30',
  );

  expect(statusState(facts)).toBe('rollbackFailed');
});

test('statusState() is held when a person holds', () => {
  expect(
    statusState(factsAfter('live v1', 'release v2', 'verdict hold', 'until holding (step 0)', 'wish hold kim@desk')),
  ).toBe('held');
});

test.each([
  { reason: 'foreign-writer', state: 'held' },
  { reason: 'evidence', state: 'releasing' },
])('statusState() is $state while the release waits for $reason', ({ reason, state }) => {
  const facts = factsAfter('live v1', 'release v2', 'verdict hold', 'until holding (step 0)');

  expect(statusState({ ...facts, hold: { reason, why: 'as the driver says' } })).toBe(state);
});

test('picture() shows how far each gate is open', () => {
  const lines = picture(factsAfter('live v1', 'release v2', 'verdict hold', 'until holding (step 0)'));

  expect(lines[2]).toContain('95 % ████████████████████████████▌░');
  expect(lines[3]).toContain(' 5 % █▌░');
});

test.each([
  { ms: 40_000, words: '40 s' },
  { ms: 72_000, words: '1 m 12 s' },
  { ms: 600_000, words: '10 min' },
  { ms: 3_900_000, words: '1 h 5 min' },
])('duration($ms) reads $words', ({ ms, words }) => {
  expect(duration(ms)).toBe(words);
});

test.each([
  { log: 0, words: '1:1' },
  { log: Math.log(31), words: '31:1' },
  { log: -Math.log(3), words: '1:3' },
])('odds($log) reads $words', ({ log, words }) => {
  expect(odds(log)).toBe(words);
});
