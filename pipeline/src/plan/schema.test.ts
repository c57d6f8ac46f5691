import { describe, expect, test } from '@jest/globals';
import { amount, listOf, made, nothing, record, type Schema, text } from './schema.ts';

describe('schemas', () => {
  test.each<{ name: string; schema: Schema<unknown>; value: unknown }>([
    { name: 'text', schema: text, value: '' },
    { name: 'amount', schema: amount, value: -0.5 },
    { name: 'listOf', schema: listOf(text), value: ['a', 'b'] },
    { name: 'record', schema: record({ a: text, b: listOf(amount) }), value: { a: 'x', b: [1] } },
  ])('$name reads back what JSON kept', ({ schema, value }) => {
    expect(schema.parse(JSON.parse(JSON.stringify(value)))).toEqual(value);
  });

  test.each<{ name: string; schema: Schema<unknown>; value: unknown; says: string }>([
    { name: 'text', schema: text, value: 7, says: 'must be text: current value is 7' },
    { name: 'amount', schema: amount, value: '7', says: 'must be a number: current value is "7"' },
    { name: 'amount', schema: amount, value: Number.NaN, says: 'must be a number' },
    { name: 'listOf', schema: listOf(text), value: { 0: 'a' }, says: 'must be a list: current value is {"0":"a"}' },
    { name: 'listOf', schema: listOf(text), value: ['a', 1], says: 'must be text: current value is 1' },
    { name: 'record', schema: record({ a: text }), value: [], says: 'must be a record: current value is []' },
    { name: 'record', schema: record({ a: text }), value: null, says: 'must be a record: current value is null' },
    { name: 'record', schema: record({ a: text }), value: {}, says: 'must be text: current value is undefined' },
  ])('$name refuses $value', ({ schema, value, says }) => {
    expect(() => schema.parse(value)).toThrow(says);
  });

  test('record() drops what nobody declared', () => {
    expect(record({ a: text }).parse({ a: 'x', b: 1 })).toEqual({ a: 'x' });
  });

  test('made() lets the maker of a brand refuse', () => {
    const even = made(amount, (value) => {
      if (value % 2 !== 0) throw new RangeError('odd');
      return value;
    });

    expect(even.parse(2)).toBe(2);
    expect(() => even.parse(3)).toThrow('odd');
  });

  test('nothing reads everything as nothing', () => {
    expect(nothing.parse({ a: 1 })).toBeUndefined();
  });
});
