import { spawn } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { raisePriority, scheduling } from './priority.ts';

/** Somebody who waits until it is killed. */
function aProcess() {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  if (child.pid === undefined) throw new Error('there is no sleep');
  return { pid: child.pid, [Symbol.dispose]: () => void child.kill() };
}

test('raisePriority() puts a process before others, lead() before what it started, and both give back what was', async () => {
  using some = aProcess();
  const first = await scheduling(some.pid);
  const seen = [];

  const priority = await raisePriority(some.pid);
  seen.push(await scheduling(some.pid));
  const lead = await priority.lead();
  seen.push(await scheduling(some.pid));
  await lead[Symbol.asyncDispose]();
  seen.push(await scheduling(some.pid));
  await priority[Symbol.asyncDispose]();
  seen.push(await scheduling(some.pid));

  const realTime = (level: number) => ({ policy: 2, level });
  const isRaised = priority.lacking === undefined; // Not everybody has the right to it.
  expect(seen).toEqual(isRaised ? [realTime(1), realTime(2), realTime(1), first] : [first, first, first, first]);
});

test('raisePriority() says why there is none, and changes nothing', async () => {
  const priority = await raisePriority(2 ** 22 + 1); // No process has such a number.
  await using _ = await priority.lead();

  expect(priority.lacking).toBe('nothing is known of its priority');
});
