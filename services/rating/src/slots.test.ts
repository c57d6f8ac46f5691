import { expect, test } from '@jest/globals';
import { Slots } from './slots.ts';

const open = new AbortController().signal;

test('take() waits until a slot is given back', async () => {
  const slots = new Slots(2);
  expect([await slots.take(open), await slots.take(open)]).toEqual([true, true]);
  let third = false;
  const waiting = slots.take(open).then((taken) => {
    third = taken;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(third).toBe(false);

  slots.giveBack();
  await waiting;

  expect([third, slots.taken]).toEqual([true, 2]);
});

test('take() gives up at once when it is told to, and takes nothing', async () => {
  const slots = new Slots(1);
  await slots.take(open);
  const stop = new AbortController();
  const waiting = slots.take(stop.signal);

  stop.abort();

  expect(await waiting).toBe(false);
  expect(await slots.take(AbortSignal.abort())).toBe(false);
  expect(slots.taken).toBe(1);
});

test('empty() resolves when the last one is given back, not before', async () => {
  const slots = new Slots(2);
  await slots.take(open);
  await slots.take(open);
  let empty = false;
  const waiting = slots.empty().then(() => {
    empty = true;
  });

  slots.giveBack();
  await new Promise((resolve) => setImmediate(resolve));
  expect(empty).toBe(false);
  slots.giveBack();
  await waiting;

  expect(empty).toBe(true);
});
