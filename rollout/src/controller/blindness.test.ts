import { describe, expect, test } from '@jest/globals';
import { makeBlindness } from './blindness.ts';

describe('Blindness', () => {
  test('lasts from the first look that did not see a port until one does', () => {
    const blindness = makeBlindness();
    for (let at = 0; at <= 60_000; at += 2_000) blindness.unseen('shop', 'metrics', at, 0);

    expect(blindness.at(61_000)).toEqual([{ app: 'shop', port: 'metrics', blindMs: 61_000 }]);
    expect(blindness.at(70_000)).toEqual([]);
  });

  test('begins anew after a time in which the port was seen', () => {
    const blindness = makeBlindness();
    blindness.unseen('shop', 'metrics', 0, 0);
    blindness.unseen('shop', 'metrics', 100_000, 0);

    expect(blindness.at(101_000)).toEqual([{ app: 'shop', port: 'metrics', blindMs: 1_000 }]);
  });

  test('goes on while nobody asks, as after a refusal, and ends when the app is at rest', () => {
    const blindness = makeBlindness();
    blindness.unseen('shop', 'journal', 0, 30_000);
    blindness.unseen('other', 'queue', 20_000, 0);
    expect(blindness.at(20_000)).toEqual([
      { app: 'shop', port: 'journal', blindMs: 20_000 },
      { app: 'other', port: 'queue', blindMs: 0 },
    ]);

    blindness.rest('shop');

    expect(blindness.at(20_000)).toEqual([{ app: 'other', port: 'queue', blindMs: 0 }]);
  });
});
