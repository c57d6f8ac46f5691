import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Pin } from '../lane.ts';
import { parsePinLine, pinLine } from './pin-key.ts';

test('pinLine() writes what a person can still read', () => {
  expect(pinLine({ header: 'Headgate-Probe', value: 'a b', lane: 'green' })).toBe(
    '(^|\\n)(?i:Headgate-Probe):\\x20(?-i:a\\x20b)\\r green-pinned',
  );
});

test('parsePinLine() gives every pin back, and its line has one blank and no break', () => {
  const pins: fc.Arbitrary<Pin> = fc.record({
    header: fc.oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.constant('Cookie')),
    value: fc.string({ unit: 'binary' }),
    lane: fc.constantFrom('blue', 'green'),
  });

  fc.assert(
    fc.property(pins, (pin) => {
      const line = pinLine(pin);
      expect(line).toMatch(/^[\x21-\x7e]+ [a-z-]+$/);
      expect(parsePinLine(line)).toEqual(pin);
    }),
  );
});

test.each(['', 'x green-pinned', '(^|\\n)(?i:a):\\x20(?-i:b)\\r elsewhere'])(
  'parsePinLine() knows nothing of "%s"',
  (line) => {
    expect(parsePinLine(line)).toBeUndefined();
  },
);
