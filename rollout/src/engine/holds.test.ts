import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import type { HoldReason } from '../policy/phase.ts';
import type { Decision, Release } from '../policy/release.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { makeHolds } from './holds.ts';

function aRelease(): Release {
  const play = newPlay();
  for (const line of ['live v1', 'release v2']) perform(play, line);
  if (play.head.release === undefined) throw new Error('no release');
  return play.head.release;
}

/** Looks once a second; what each decides, and what is told, as `<second> <reason>: <why>`. */
function told(seconds: number, decided: (second: number) => { hold: HoldReason | undefined; why?: string }): string[] {
  const release = aRelease();
  const heard: string[] = [];
  const holds = makeHolds((occurrence) => {
    if (occurrence.kind === 'held') heard.push(`${occurrence.at / 1_000} ${occurrence.reason}: ${occurrence.why}`);
  });
  for (let second = 0; second < seconds; second++) {
    const { hold, why = 'so it is' } = decided(second);
    const decision: Decision = { state: release.state, commands: [], why, hold, answers: [] };
    holds.note(release, decision, instant(second * 1_000));
  }
  return heard;
}

test('a reason is told when it begins and when it is another one, whatever its words are at each look', () => {
  const heard = told(20, (second) =>
    second < 10 ? { hold: 'evidence', why: `1:${second}` } : { hold: 'no-traffic', why: 'nobody comes' },
  );

  expect(heard).toEqual(['0 evidence: 1:0', '10 no-traffic: nobody comes']);
});

test('a reason that is there again after a step is told again', () => {
  expect(told(70, (second) => ({ hold: second === 40 ? undefined : 'bake' }))).toEqual([
    '0 bake: so it is',
    '41 bake: so it is',
  ]);
});

test('two reasons that take turns each second are told every 30 s, and the one that stays is told last', () => {
  const heard = told(3_600, (second) => ({
    hold: second < 3_000 && second % 2 === 1 ? 'evidence' : 'foreign-writer',
    why: 'flux',
  }));

  expect(heard.length).toBeLessThanOrEqual(2 * (3_600 / 30));
  expect(heard.length).toBeGreaterThan(100);
  expect(heard.slice(0, 2)).toEqual(['0 foreign-writer: flux', '1 evidence: flux']);
  expect(heard.findLast((line) => Number.parseInt(line, 10) < 3_060)).toMatch(/foreign-writer/);
});

test('other words of a router are news, and of one that says something else at each look no more than every 30 s', () => {
  expect(told(10, () => ({ hold: 'unconfirmed', why: 'not yet in r2' }))).toHaveLength(1);
  expect(told(40, (second) => ({ hold: 'unconfirmed', why: second < 5 ? 'not yet' : 'it cannot' }))).toEqual([
    '0 unconfirmed: not yet',
    '30 unconfirmed: it cannot',
  ]);
  expect(told(300, (second) => ({ hold: 'unconfirmed', why: `${second}` }))).toHaveLength(10);
});

test('a reason that stays is told again each half hour, as an Event is forgotten after an hour', () => {
  expect(told(2 * 3_600, () => ({ hold: 'capacity' }))).toHaveLength(4);
});
