import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { derivedId } from './id.ts';

test('derivedId() is a UUID of version 8, the same for the same command and place', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(1_000), (message, index) => {
      const id = derivedId(message, index);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(derivedId(message, index)).toBe(id);
    }),
  );
});

test('derivedId() differs by command and by place', () => {
  const ids = ['a', 'b'].flatMap((message) => [0, 1, 2].map((index) => derivedId(message, index)));

  expect(new Set(ids).size).toBe(6);
});
