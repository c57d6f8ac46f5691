import { describe, expect, test } from '@jest/globals';
import { storyOf } from '../engine/story.ts';
import { defaultJudge } from '../judge/judge.ts';
import { countsOnly } from '../judge/sample.ts';
import type { EvidenceEntry } from '../policy/evidence.ts';
import type { Reason } from '../policy/phase.ts';
import type { Ended, Head } from '../policy/release.ts';
import { explain, stateName } from './explain.ts';
import { gatesOf } from './gates.ts';
import { plot } from './plot.ts';
import type { Story } from './story.ts';
import { strip } from './strip.ts';

/** A release at 5 % whose candidate begins to fail half of its requests after 20 s. */
function aStory({ failing = 10, seconds = 30, latencySlow = false, watched = 0, failingWatched = 0 } = {}): Story {
  const slow = latencySlow ? (['latency'] as const) : [];
  const live = { requests: 380, failed: 1, refused: 0 };
  const fast = [[80, 300] as const, [90, 20] as const];
  const late = [[88, 15] as const, [98, 5] as const];
  const prime = { ...countsOnly, seconds: 600, live: { requests: 57_000, failed: 60, refused: 0 } };
  const entries: EvidenceEntry[] = [
    { kind: 'start', settings: { ...defaultJudge, slow } },
    { kind: 'prime', at: 0, ...prime, latency: latencySlow ? { seconds: 600, live: fast } : undefined },
    { kind: 'share', share: 5 },
  ];
  for (let t = 1; t <= seconds; t++) {
    const candidate = { requests: 20, failed: t > 20 ? failing : 0, refused: 0 };
    const latency = latencySlow ? { seconds: 1, live: fast, candidate: late } : undefined;
    const sample = { ...countsOnly, seconds: 1, candidateShare: 5, live, candidate, latency };
    entries.push({ kind: 'sample', at: 1_000 * t, sample, lags: null });
  }
  if (watched > 0) entries.push({ kind: 'share', share: 100 }, { kind: 'watch' });
  for (let t = seconds + 1; t <= seconds + watched; t++) {
    const candidate = { requests: 400, failed: failingWatched, refused: 0 };
    const sample = {
      ...countsOnly,
      seconds: 1,
      candidateShare: 100,
      live: { requests: 0, failed: 0, refused: 0 },
      candidate,
    };
    entries.push({ kind: 'sample', at: 1_000 * t, sample, lags: null });
  }
  const story = storyOf(entries);
  if (story === undefined) throw new Error('it has a start');
  return story;
}

/** That release as the journal has it once it is over. */
function aHead(outcome: Ended['outcome'], reason?: Reason['kind'], strategy: Ended['strategy'] = 'canary'): Head {
  const phase =
    reason === undefined ? { kind: 'promoted' } : { kind: 'rolledBack', reason: { kind: reason, text: '' } };
  const ended = { id: 7, outcome, strategy, text: 'as it ended' };
  return { history: [ended], release: { id: 7, state: { phase } } } as unknown as Head;
}

const told = (head: Head, story: Story | undefined) =>
  gatesOf(head, story, 7).map(({ name, outcome }) => `${name} ${outcome}`);

describe('gatesOf()', () => {
  test('names the rule that stopped a release, and says of no other that it was passed', () => {
    const gates = gatesOf(aHead('rolledBack', 'verdict'), aStory({ latencySlow: true, seconds: 40 }), 7);

    expect(gates).toContainEqual({ name: 'requests failed', outcome: 'failed', text: 'as it ended' });
    expect(gates.filter(({ outcome }) => outcome === 'failed')).toHaveLength(1);
    expect(gates.find(({ name }) => name === 'answers slower')).toMatchObject({ outcome: 'undecided' });
    expect(gates[0]).toMatchObject({ name: 'health', outcome: 'passed' });
  });

  test('has each rule of the comparison and of the watch passed in a release that was promoted', () => {
    const gates = told(aHead('promoted'), aStory({ failing: 0, watched: 20 }));

    expect(gates).toEqual(
      expect.arrayContaining(['health passed', 'requests failed passed', 'watch: requests failed passed']),
    );
    expect(gates.every((gate) => gate.endsWith(' passed'))).toBe(true);
  });

  test.each<{ reason: Reason['kind']; stop: string }>([
    { reason: 'start', stop: 'health' },
    { reason: 'unready', stop: 'health' },
    { reason: 'person', stop: 'a person' },
    { reason: 'deadline', stop: 'deadline' },
  ])('names what stopped a release by $reason, and no rule', ({ reason, stop }) => {
    const gates = told(aHead('rolledBack', reason), aStory({ failing: 0 }));

    expect(gates.filter((gate) => gate.endsWith('failed'))).toEqual([`${stop} failed`]);
  });

  test('does not say of a release that was stopped before anything was judged that its instances came up', () => {
    expect(told(aHead('rolledBack', 'person'), undefined)).toEqual(['health undecided', 'a person failed']);
  });

  test('has a rolling update come up, or not', () => {
    expect(told(aHead('promoted', undefined, 'rolling'), undefined)).toEqual(['health passed']);
    expect(told(aHead('rolledBack', undefined, 'rolling'), undefined)).toEqual(['health failed']);
  });
});

describe('explain()', () => {
  test('says what was decided, and of every rule its odds, what it must reach and what it saw', () => {
    const [head, failed, ...others] = explain(aStory());

    expect(head).toMatch(/^ROLLBACK: worse than tolerated \d+\+?:1 \(rolls back at 100:1\), good enough 1:/);
    expect(failed).toMatch(
      /requests failed +worse \d+\+?:1 \(alone it rolls back at 250:1\).*; 100 of 600 \(16\.67 %\), live 30 of 11400/,
    );
    expect(others).toHaveLength(2);
  });

  test('names the quantile that says most, in ms', () => {
    const lines = explain(aStory({ failing: 0, latencySlow: true }));

    expect(lines.find((line) => /answers slower/.test(line))).toMatch(
      /p\d+(\.\d)? says most: \d+ of \d+ above \d+ ms, live/,
    );
  });

  test('says how many requests are still needed, and names the state', () => {
    const story = aStory({ failing: 0, seconds: 10 });

    expect(explain(story)[0]).toMatch(/about \d+ candidate requests to go$/);
    expect(stateName(story.compared)).toBe('HEALTHY_PROGRESS');
    expect(stateName({ ...story.compared, reason: 'stale' })).toBe('HOLD_NO_METRICS');
    expect(stateName({ ...story.compared, reason: 'no-traffic' })).toBe('HOLD_NO_TRAFFIC');
  });
});

describe('plot()', () => {
  test('draws weights, both ratios with their bands, both odds and both lines that decide, for light and dark', () => {
    const svg = plot(aStory(), 7);

    expect(svg).toContain('Release 7: ROLLBACK after 30 s');
    expect(svg.match(/<polyline /g)).toHaveLength(5);
    expect(svg.match(/<polygon class="band /g)).toHaveLength(2);
    expect(svg).toContain('rolls back here');
    expect(svg).toContain('promotes here');
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('draws a release that has seen nothing', () => {
    expect(plot(aStory({ seconds: 0 }), 7)).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('says how long the comparison took and how long the watch, and where that began', () => {
    const svg = plot(aStory({ failing: 0, seconds: 10, watched: 8 }), 7);

    expect(svg).toContain('Release 7: PROMOTE after 10 s, watched for 8 s');
    expect(svg).toContain('>watched</text>');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('explain() of a release that was called back in its watch', () => {
  test('tells the comparison that let it through, and the watch', () => {
    const lines = explain(aStory({ failing: 0, seconds: 200, watched: 8, failingWatched: 200 }));
    const [compared, watched] = lines.filter((line) => /^[A-Z_]+: worse/.test(line));

    expect(compared).toMatch(/^PROMOTE: /);
    expect(watched).toMatch(/^ROLLBACK: worse than tolerated \d+\+?:1 \(rolls back at 100:1\)$/);
    expect(lines.at(-2)).toMatch(/requests failed .*; \d+ of 3200 .*; tolerated to 0\.\d\d %$/);
  });
});

describe('strip()', () => {
  test('shows weight, failures and odds in cells of equal time, and what a full one means', () => {
    const [weight, live, candidate, worse, good, time] = strip(aStory());

    expect(weight).toMatch(/^candidate's weight {4}▁{48} {2}5 %$/);
    expect(live).toMatch(/0\.26 %, █ 50 %$/);
    expect(candidate).toMatch(/^candidate failed {6} {32}█{16} {2}16\.67 %, █ 50 %$/);
    expect(worse).toMatch(/█{10,} {2}█ rolls back$/);
    expect(good).toMatch(/█ promotes$/);
    expect(time).toMatch(/0 s +30 s$/);
  });

  test('shows a release that has seen nothing', () => {
    expect(strip(aStory({ seconds: 0 })).join('\n')).not.toMatch(/NaN|Infinity|undefined/);
  });
});
