import { readdir, readFile } from 'node:fs/promises';

/** In the environment of every command, and so in that of whatever it starts, however far that goes from it. */
export const markName = 'HEADGATE_COMMANDS';

export type Marked = { readonly pid: number; readonly group: number };

/**
 * Processes whose environment holds this mark. A process group loses who calls `setsid`, and a tree of parents loses who is an
 * orphan; the environment stays with both. CI hosts find what a job leaves behind in the same way. Linux tells it; elsewhere none is found.
 */
export async function findMarked(mark: string): Promise<readonly Marked[]> {
  const names = await readdir('/proc').catch(() => []); // Not Linux.
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const marked = await Promise.all(pids.map(async (pid) => ((await isMarked(pid, mark)) ? [pid] : [])));
  return await Promise.all(marked.flat().map(async (pid) => ({ pid, group: await groupOf(pid) })));
}

async function isMarked(pid: number, mark: string): Promise<boolean> {
  // Gone meanwhile, or somebody else's.
  const variables = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  return variables.split('\0').includes(`${markName}=${mark}`);
}

/** 0 for a process that is gone. */
async function groupOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // Its name, in brackets, may hold anything.
  return Number(group ?? 0);
}
