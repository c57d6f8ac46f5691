import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { judgePerf } from './judge.ts';
import { type Measuring, measureRounds } from './rounds.ts';
import { type PerfRule, perfRule } from './rule.ts';

const signal = AbortSignal.timeout(240_000);

/** Answers each request after a little work; freezes once, for `freezeMs`, at its 1500th request. */
const program = `
let served = 0;
const freezeMs = Number(process.argv[1]);
require('node:http').createServer((request, response) => {
  served += 1;
  if (served === 1500 && freezeMs > 0) { const end = Date.now() + freezeMs; while (Date.now() < end); }
  response.end('{}');
}).listen(0, '127.0.0.1', function () { process.send(this.address().port); });
`;

/** Eight calm rounds, whatever they show: nobody looks before. */
const rule: PerfRule = { ...perfRule, looks: [{ rounds: 8, share: 1 }], passMin: 8 };

/** However busy the machine is. */
const everyRound: PerfRule = { ...rule, stillMaxMs: Number.POSITIVE_INFINITY, othersMax: Number.POSITIVE_INFINITY };

describe('measureRounds()', () => {
  const children: ChildProcess[] = [];
  let before: string;
  beforeEach(async () => {
    before = await aServer(0);
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function aServer(freezeMs: number): Promise<string> {
    const child = spawn(process.execPath, ['-e', program, String(freezeMs)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children.push(child);
    return `http://127.0.0.1:${(await once(child, 'message'))[0]}`;
  }

  function measuring(after: string): Measuring {
    const request = (path: string) => ({ method: 'GET', path, body: undefined }) as const;
    const often = [request('/a')];
    return {
      before,
      after,
      often,
      rare: [request('/b')],
      perSecond: 300,
      roundMs: 1_000,
      rule,
      say: () => {},
    };
  }

  test('sends at its rate, in turn, and never takes one server for slower than itself', async () => {
    const rounds = await measureRounds(measuring(before), signal);

    expect(rounds.length).toBeGreaterThanOrEqual(8); // One that neighbours disturbed is played again.
    expect(rounds.length).toBeLessThanOrEqual(16);
    for (const { before: old, after } of rounds)
      for (const side of [old, after]) {
        expect(side.requests).toBeGreaterThan(290);
        expect(Object.keys(side.timings).sort()).toEqual(['GET /a', 'GET /b']);
      }
    expect(judgePerf(rounds, rule)).not.toMatchObject({ kind: 'slower' });
  }, 100_000);

  test('ends with the first look that tells', async () => {
    const looks = [
      { rounds: 1, share: 0.5 },
      { rounds: 8, share: 0.5 },
    ];
    const deaf = 'http://127.0.0.1:1'; // Nothing answers there.

    const rounds = await measureRounds({ ...measuring(deaf), rule: { ...everyRound, looks } }, signal);

    expect(rounds).toHaveLength(1);
  }, 100_000);

  test('a single standstill of 1 s never passes', async () => {
    const rounds = await measureRounds(measuring(await aServer(1_000)), signal);

    const slowest = Math.max(...rounds.flatMap(({ after }) => Object.values(after.timings).flat()));
    expect(slowest).toBeGreaterThan(900);
    expect(judgePerf(rounds, rule)).not.toMatchObject({ kind: 'notSlower' });
  }, 100_000);
});
