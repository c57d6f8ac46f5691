import { HeadgateError } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { expectNone, passed, runChecks } from './report.ts';

const signal = new AbortController().signal;

describe('runChecks()', () => {
  test('reports an error of a check as its failure, with the cause, and goes on', async () => {
    const checks = await runChecks(
      [
        { name: 'first', find: async () => passed('fine') },
        { name: 'second', find: () => Promise.reject(new Error('fetch failed', { cause: new Error('refused') })) },
        { name: 'third', find: async () => passed('fine') },
      ],
      signal,
    );

    expect(checks.map(({ outcome, detail }) => `${outcome}: ${detail}`)).toEqual([
      'passed: fine',
      'failed: fetch failed: refused',
      'passed: fine',
    ]);
  });

  test('skips the others when the first fails', async () => {
    const checks = await runChecks(
      [
        { name: 'ready', find: () => Promise.reject(new Error('it ended with 1')) },
        { name: 'second', find: async () => passed('fine') },
      ],
      signal,
    );

    expect(checks[1]).toMatchObject({ outcome: 'skipped', detail: 'as "ready" failed' });
  });

  test('a failure of the world is no failure of the image', async () => {
    const broken = new HeadgateError('SERVER_START', 'Cannot start nats-server', { hint: 'look' });

    await expect(runChecks([{ name: 'a', find: () => Promise.reject(broken) }], signal)).rejects.toBe(broken);
  });

  test('an abort ends it', async () => {
    await expect(runChecks([{ name: 'a', find: async () => passed('') }], AbortSignal.abort())).rejects.toThrow();
  });
});

test('expectNone() shows five problems and counts the others', () => {
  expect(expectNone(['1', '2', '3', '4', '5', '6', '7'], 'fine').detail).toBe('1; 2; 3; 4; 5; and 2 more');
});
