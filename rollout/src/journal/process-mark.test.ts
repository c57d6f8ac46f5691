import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { isAlive, markOf } from './process-mark.ts';

/** Its first thread ends at once, another one goes on until its input ends: a server that was just killed looks the same for a moment. */
const program = `
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)
`;

test('a process whose first thread has ended is alive while another one goes on, and may hold a port', async () => {
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    while ((await stateOf(child.pid)) !== 'Z') await sleep(10);
    const mark = await markOf(Number(child.pid));

    expect(mark).toBeDefined();
    expect(await isAlive(String(mark))).toBe(true);
    child.stdin.end();
    await ended;
    expect(await isAlive(String(mark))).toBe(false);
  } finally {
    child.kill('SIGKILL');
  }
});

async function stateOf(pid: number | undefined): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0];
}
