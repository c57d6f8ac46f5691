import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { ticksOf, watchNeighbours } from './neighbours.ts';

const busy = 'const end = Date.now() + 1_500; while (Date.now() < end);';

test('watchNeighbours() sees the busiest moment of a process that is none of ours, once', async () => {
  await using neighbours = watchNeighbours();
  // Its parent ends at once, so that nobody's child it is.
  const shell = spawn('sh', ['-c', `"${process.execPath}" -e '${busy}' > /dev/null & echo $!`]);
  const stranger = text(shell.stdout);
  await once(shell, 'close');
  expect(Number(await stranger)).toBeGreaterThan(0);
  await sleep(1_500); // It is busy for so long.

  const seen = neighbours.busiest();

  expect(seen).toBeGreaterThan(0.4 / availableParallelism());
  expect(seen).toBeLessThanOrEqual(1);
  expect(neighbours.busiest()).toBe(0);
});

test('ticksOf() counts what a process uses, and what those use that it started', async () => {
  const before = await ticksOf(process.pid);
  const child = spawn('sh', ['-c', `"${process.execPath}" -e '${busy}'; true`]);
  const mine = performance.now() + 200;
  while (performance.now() < mine);
  await sleep(1_000);

  const used = (await ticksOf(process.pid)) - before;

  await once(child, 'close');
  expect(used).toBeGreaterThan(20 + 20);
});
