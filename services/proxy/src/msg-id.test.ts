import { describe, expect, test } from '@jest/globals';
import { RecentIds, uuidV7 } from './msg-id.ts';

describe('uuidV7()', () => {
  test('begins with the time and keeps the random part (RFC 9562, appendix A.6)', () => {
    const random = '00000000-0000-4cc3-98c4-dc0c0c07398f';
    expect(uuidV7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
  });

  test('sorts by time', () => {
    const ids = [1, 2 ** 32, 2 ** 44].map((ms) => uuidV7(ms));
    expect([...ids].sort()).toEqual(ids);
  });
});

describe('RecentIds', () => {
  test('lets an id through again 170 ms after it was last published', () => {
    const ids = new RecentIds();
    ids.published('a', 1_000);

    expect(ids.waitMs('a', 1_000)).toBe(170);
    expect(ids.waitMs('a', 1_160)).toBe(10);
    expect(ids.waitMs('a', 1_170)).toBe(0);
    expect(ids.waitMs('b', 1_000)).toBe(0);
  });

  test('forgets what no longer matters', () => {
    const ids = new RecentIds();
    for (let i = 0; i < 1_000; i++) ids.published(`id-${i}`, i);
    expect(ids.size).toBe(170);
  });
});
