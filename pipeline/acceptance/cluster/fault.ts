import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from '../commands.ts';

/**
 * A part of the cluster lives and does nothing meanwhile. `relay`: what the second gateway replica hears of the API server; `metrics`: what
 * the gateway tells of its counters.
 */
export async function whileHeld<T>(
  part: 'kube-apiserver' | 'kubelet' | 'relay' | 'metrics',
  act: () => Promise<T>,
): Promise<T> {
  await fault('hold', part);
  try {
    return await act();
  } finally {
    await fault('release', part);
  }
}

async function fault(what: 'hold' | 'release', part: string): Promise<void> {
  await promisify(execFile)('bash', [join(repository, 'pipeline/cluster/fault.sh'), what, part]);
}
