import { appendFile, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { unlessMissing } from '../../../journal/files.ts';
import { isAlive, markOf, pidOf } from '../../../journal/process-mark.ts';

const askMaxMs = 5_000;
const killMaxMs = 5_000;

/** Notes a process that would have to be ended if we were killed. Ended ones stay in the file: their marks match nobody. */
export async function recordPid(file: string, pid: number): Promise<void> {
  const mark = await markOf(pid);
  if (mark !== undefined) await appendFile(file, `${mark}\n`);
}

/** Ends what is left of the processes noted in `file`, and forgets them. A process id that somebody else has by now is left alone. */
export async function clearLeftovers(file: string): Promise<void> {
  const marks = ((await unlessMissing(readFile(file, 'utf8'))) ?? '').split('\n').filter((mark) => mark !== '');
  // Lane processes first heard of it when their supervisor died; asking gives Postgres the time to close its files.
  await endAll(marks, 'SIGINT', askMaxMs);
  await endAll(marks, 'SIGKILL', killMaxMs);
  await rm(file, { force: true });
}

/** Resolves when none of them runs, or after `withinMs`. */
async function endAll(marks: readonly string[], signal: NodeJS.Signals, withinMs: number): Promise<void> {
  for (const mark of await living(marks)) end(pidOf(mark), signal);
  const deadline = Date.now() + withinMs;
  while ((await living(marks)).length > 0 && Date.now() < deadline) await sleep(20);
}

async function living(marks: readonly string[]): Promise<string[]> {
  const alive = await Promise.all(marks.map(isAlive));
  return marks.filter((_mark, i) => alive[i]);
}

/** Ended meanwhile is as good as ended by us. */
export function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
