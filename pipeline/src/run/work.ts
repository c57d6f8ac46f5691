import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './failure.ts';

/** Folder of this process's own for the work of one run. Its name says whose it is. */
export function workFolder(folder: string, run: string): string {
  return join(folder, `${process.pid}-${run}`);
}

/** Removes what processes left that were killed. One whose number somebody else has by now stays until that one has ended. */
export async function clearDeadWork(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []); // There is none yet.
  const dead = names.filter((name) => !isAlive(Number.parseInt(name, 10)));
  await Promise.all(dead.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH'); // Others may not be signalled, and live.
  }
}
