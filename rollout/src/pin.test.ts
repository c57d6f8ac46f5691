import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Marker, markerText, readMarker, sameMarker } from './pin.ts';

test.each<[string, Marker]>([
  ['X-Variant=b', { header: 'X-Variant', value: 'b' }],
  ['x-variant=a b=c; d', { header: 'x-variant', value: 'a b=c; d' }],
  ['cookie variant=always', { header: 'Cookie', value: 'variant=always' }],
  ['Cookie  variant=b==', { header: 'Cookie', value: 'variant=b==' }],
])('readMarker() reads %s', (text, marker) => {
  expect(readMarker(text)).toEqual(marker);
});

test.each([
  ['', 'nothing'],
  ['X-Variant', 'a header without a value'],
  ['X-Variant=', 'an empty value'],
  ['X-Variant= b', 'a value that begins with a space, which routers cut off'],
  ['X Variant=b', 'a name with a space'],
  ['X-Variant=b\r\nHost: x', 'a line break'],
  ['Cookie=variant=b', 'the header of all cookies'],
  ['cookie variant', 'a cookie without a value'],
  ['cookie variant=a; other=b', 'two cookies'],
  ['headgate-probe=1', "the header of Headgate's own requests"],
])('readMarker() does not take "%s": %s', (text) => {
  expect(readMarker(text)).toBeUndefined();
});

test('markerText() writes what readMarker() reads', () => {
  const text = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' });

  fc.assert(
    fc.property(text, text, (name, value) => {
      for (const typed of [`${name}=${value}`, `cookie ${name}=${value}`]) {
        const marker = readMarker(typed);
        if (marker !== undefined) expect(readMarker(markerText(marker))).toEqual(marker);
      }
    }),
  );
});

test('sameMarker() looks at the case of values and not of names', () => {
  expect(sameMarker({ header: 'X-A', value: 'b' }, { header: 'x-a', value: 'b' })).toBe(true);
  expect(sameMarker({ header: 'X-A', value: 'b' }, { header: 'X-A', value: 'B' })).toBe(false);
});
