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

/** Works as long by its own clock, however many others work on this machine, and stays until it is told to go. */
const diligent = `
const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1_000; };
while (usedMs() < 1_000);
console.log('done');
process.stdin.resume();`;

test('ticksOf() counts what a process uses, and what those use that it started', async () => {
  const before = await ticksOf(process.pid);
  const child = spawn('sh', ['-c', `"${process.execPath}" -e "${diligent}"; true`]);
  const mine = process.cpuUsage();
  while (process.cpuUsage(mine).user < 200_000);
  await once(child.stdout, 'data');

  const used = (await ticksOf(process.pid)) - before;

  child.stdin.end();
  await once(child, 'close');
  expect(used).toBeGreaterThanOrEqual(100 + 20 - 2); // Each is counted in whole ticks.
});
