import { expect, test } from '@jest/globals';
import { readiness } from './readiness.ts';

const well = { stopping: false, everUp: true, natsDownMs: 0 };

test.each([
  { change: {}, ready: true, why: 'ready' },
  { change: { natsDownMs: 10_000 }, ready: true, why: 'ready' },
  { change: { natsDownMs: 10_001 }, ready: false, why: 'NATS is gone for 10 s' },
  { change: { everUp: false }, ready: false, why: 'NATS was never connected' },
  { change: { stopping: true }, ready: false, why: 'shutting down' },
])('readiness() is $ready with $change', ({ change, ready, why }) => {
  expect(readiness({ ...well, ...change })).toEqual({ ready, why });
});
