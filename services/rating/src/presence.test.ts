import { expect, test } from '@jest/globals';
import { Presence } from './presence.ts';

test('Presence counts from the first absence, and anew after it was there', () => {
  const presence = new Presence();
  expect(presence.standing().everUp).toBe(false);

  presence.up();
  expect(presence.standing()).toEqual({ everUp: true, downMs: 0 });
  presence.down();
  const since = performance.now();
  presence.down();

  expect(presence.standing(since + 5_000).downMs).toBeGreaterThanOrEqual(5_000);
  presence.up();
  expect(presence.standing(since + 9_000).downMs).toBe(0);
});
