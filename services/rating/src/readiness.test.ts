import { expect, test } from '@jest/globals';
import { type Health, readiness } from './readiness.ts';

const up = { everUp: true, downMs: 0 };
const never = { everUp: false, downMs: 60_000 };
const well: Health = { stopping: false, nats: up, database: up, pulls: up };

test.each<{ health: Partial<Health>; why: string }>([
  { health: {}, why: 'ready' },
  { health: { nats: { everUp: true, downMs: 10_000 } }, why: 'ready' },
  { health: { pulls: 'none' }, why: 'ready' },
  { health: { stopping: true }, why: 'shutting down' },
  { health: { nats: never }, why: 'NATS was never reached' },
  { health: { nats: { everUp: true, downMs: 10_001 } }, why: 'NATS is gone for 10 s' },
  { health: { database: never }, why: 'the database was never reached' },
  { health: { database: { everUp: true, downMs: 12_700 } }, why: 'the database is gone for 12 s' },
  { health: { pulls: 'unknown' }, why: 'the source list was not read yet' },
  { health: { pulls: never }, why: 'the consumer was never reached' },
])('readiness($health) says "$why"', ({ health, why }) => {
  expect(readiness({ ...well, ...health })).toEqual({ ready: why === 'ready', why });
});
