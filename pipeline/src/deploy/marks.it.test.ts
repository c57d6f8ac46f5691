import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry } from '@headgate/rollout/servers';
import { expect, test } from '@jest/globals';
import { openMarks, type Sharing } from './marks.ts';

const signal = AbortSignal.timeout(30_000);
const mark = 'a'.repeat(64);

test('what one machine has tested the others know, by the seal of those who share a key', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-marks-'));
  await using registry = await startRegistry();
  try {
    const warnings: string[] = [];
    const machine = (name: string, sharing: Partial<Sharing>) =>
      openMarks(join(folder, name), {
        ...{ registry: `${new URL(registry.url).host}/shop`, secret: 'ours', writes: true },
        ...{ warn: (message: string) => warnings.push(message), ...sharing },
      });
    await machine('a', {}).add(mark, signal);

    expect(await machine('b', {}).has(mark, signal)).toBe(true);
    expect(await machine('b', {}).has('b'.repeat(64), signal)).toBe(false);
    expect(await openMarks(join(folder, 'a'), undefined).has(mark, signal)).toBe(true);
    expect(await openMarks(join(folder, 'c'), undefined).has(mark, signal)).toBe(false);
    expect(warnings).toEqual([]);
    expect(await machine('d', { secret: 'theirs' }).has(mark, signal)).toBe(false);
    expect(warnings).toEqual([expect.stringContaining('its seal is not by our key')]);
    await machine('e', { writes: false }).add('c'.repeat(64), signal);
    expect(await machine('b', {}).has('c'.repeat(64), signal)).toBe(false);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a registry that is away costs another test, and no delivery', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-marks-'));
  try {
    const warnings: string[] = [];
    const warn = (message: string) => warnings.push(message);
    const marks = openMarks(folder, { registry: '127.0.0.1:9/shop', secret: 'ours', writes: true, warn });

    expect(await marks.has(mark, signal)).toBe(false);
    await marks.add(mark, signal);

    expect(await marks.has(mark, signal)).toBe(true);
    expect(warnings).toHaveLength(2);
  } finally {
    await rm(folder, { recursive: true });
  }
});
