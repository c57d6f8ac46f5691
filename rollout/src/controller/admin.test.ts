import { expect, test } from '@jest/globals';
import { samplesOf } from '../metrics/exposition.ts';
import { newVitals, openAdmin } from './admin.ts';

test('the page says of which app it speaks, whatever its name', async () => {
  const name = 'a "b"\\c\nd';
  const vitals = newVitals();
  vitals.decisions.set(name, new Map([['holding', 2]]));
  vitals.decisions.set('shop', new Map([['holding', 1]]));
  vitals.held.set(name, 'capacity');
  vitals.held.set('shop', undefined);
  vitals.blindness.unseen(name, 'metrics', Date.now(), 0);
  await using admin = await openAdmin(0, vitals);

  const samples = samplesOf(await (await fetch(`http://127.0.0.1:${admin.port}/metrics`)).text());

  expect(samples).not.toContain(undefined);
  expect(samples.filter((sample) => Object.keys(sample?.labels ?? {}).length > 0)).toEqual([
    { name: 'headgate_blind_seconds', labels: { app: name, port: 'metrics' }, value: expect.any(Number) },
    { name: 'headgate_held', labels: { app: name, reason: 'capacity' }, value: 1 },
    { name: 'headgate_decisions_total', labels: { app: name, phase: 'holding' }, value: 2 },
    { name: 'headgate_decisions_total', labels: { app: 'shop', phase: 'holding' }, value: 1 },
  ]);
});
