import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

type Read = (path: string) => string | undefined;

/** Cores that this process may use. A container may be given two of a machine's sixty-four, which Node does not see. */
export function usableCores(read: Read = readIfThere, ofMachine: number = availableParallelism()): number {
  const quotas = groupsOf(read('/proc/self/cgroup') ?? '').flatMap((folder) => quotaIn(folder, read));
  // A part of a core counts as one: steps wait for servers and disks, too.
  return Math.max(1, Math.min(ofMachine, ...quotas.map(Math.ceil)));
}

const root = '/sys/fs/cgroup';

/** Folders of the groups that this process is in, those above them too: the tightest counts. Inside of a container they begin at its own. */
function groupsOf(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined || !(controllers === '' || controllers?.split(',').includes('cpu'))) return [];
    const names = path.split('/').filter((name) => name !== '');
    const under = controllers === '' ? root : `${root}/cpu`;
    return Array.from({ length: names.length + 1 }, (_, depth) => [under, ...names.slice(0, depth)].join('/'));
  });
}

/** Of version 2 of control groups, else of version 1; nothing where there is no limit. */
function quotaIn(folder: string, read: Read): readonly number[] {
  const [quota, period] = (
    read(`${folder}/cpu.max`) ?? `${read(`${folder}/cpu.cfs_quota_us`)} ${read(`${folder}/cpu.cfs_period_us`)}`
  )
    .split(/\s+/)
    .map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? [quota / period] : [];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // Not Linux, or another version of control groups.
  }
}
