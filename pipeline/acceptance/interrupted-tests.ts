import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './report.ts';

const repository = join(import.meta.dirname, '../..');
/** They start supervisors, which are detached, and services in processes of their own. */
const tests = ['rollout/src/platform/local', 'services/rating/src/main.it'];
const endMaxMs = 20_000;

/** A test run that ends by Ctrl-C, or whose main process is killed -9, leaves no process and no temporary folder. */
export async function interruptedTests(report: Report): Promise<void> {
  // Short, since the tests' state folders below it hold sockets.
  const temporary = await mkdtemp(join(tmpdir(), 'hg-'));
  try {
    for (const name of ['Ctrl-C', 'kill -9'] as const) {
      const child = spawn('npm', ['run', '--silent', 'jest', '--', ...tests], {
        cwd: repository,
        env: { ...process.env, TMPDIR: temporary },
        detached: true,
        stdio: 'ignore',
      });
      const ended = once(child, 'close');
      const seen = await servers(temporary);
      if (name === 'Ctrl-C') process.kill(-(child.pid ?? 0), 'SIGINT');
      else for (const { pid } of (await running(temporary)).filter(isMain)) process.kill(pid, 'SIGKILL');
      await ended;
      report.say(`${name} with ${seen} processes up`);
      let left = await running(temporary);
      for (const end = Date.now() + endMaxMs; left.length > 0 && Date.now() < end; left = await running(temporary))
        await sleep(100);
      report.check(
        `no process of a test run is left after ${name}`,
        left.length === 0,
        left.map(({ line }) => line.slice(0, 120)).join('; '),
      );
      const folders = await readdir(temporary);
      report.check(`no temporary folder of a test run is left after ${name}`, folders.length === 0, folders.join(', '));
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

type Seen = { readonly pid: number; readonly line: string };

/** Waits until a supervisor and some servers are up. */
async function servers(temporary: string): Promise<number> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    const seen = await running(temporary);
    if (seen.some(({ line }) => line.includes('supervisor/main')) && seen.length > 8) return seen.length;
  }
  throw new Error('The tests never started their servers');
}

/** Processes that have the folder on their command line or in their environment. */
async function running(temporary: string): Promise<readonly Seen[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const read = (pid: number, name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const all = await Promise.all(
    pids.map(async (pid) => {
      const line = await read(pid, 'cmdline');
      const isOurs = line.includes(temporary) || (await read(pid, 'environ')).includes(temporary);
      return isOurs ? [{ pid, line: line.replaceAll('\0', ' ') }] : [];
    }),
  );
  return all.flat();
}

function isMain({ line }: Seen): boolean {
  return line.startsWith('node ') && line.includes('jest/bin/jest.js');
}
