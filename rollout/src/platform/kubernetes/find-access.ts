import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { HeadgateError } from '../../errors.ts';
import type { ReadAccess, Target } from './access.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { readServiceAccount, serviceAccountFolder } from './service-account.ts';

/**
 * A kubeconfig with tokens or certificates is read here in a millisecond. What runs programs, asks identity providers, merges files
 * or goes through proxies is left to the Kubernetes client, whose import costs most of a second.
 * @throws {HeadgateError} `CLUSTER_UNREACHABLE` if nothing says where a cluster is
 */
export function findAccess(target: Target, env: NodeJS.ProcessEnv): ReadAccess {
  let byLibrary: ReadAccess | undefined;
  return async () => {
    if (byLibrary !== undefined) return byLibrary();
    const files = await kubeconfigs(target, env);
    const [file, ...more] = files;
    if (file === undefined) return inCluster(env);
    const plain = more.length === 0 ? await readKubeconfig(file, target.context) : undefined;
    if (plain !== undefined) return plain;
    const { openLibrary } = await import('./library.ts');
    byLibrary = openLibrary(files, target.context);
    return byLibrary();
  };
}

/** Files that say where the cluster is; none inside of it. */
export async function kubeconfigs({ kubeconfig }: Target, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const named = kubeconfig ?? env['HEADGATE_KUBECONFIG'] ?? env['KUBECONFIG'] ?? '';
  if (named !== '') return named.split(delimiter).filter((file) => file !== '');
  const usual = join(env['HOME'] ?? homedir(), '.kube', 'config');
  return (await exists(usual)) ? [usual] : [];
}

async function inCluster(env: NodeJS.ProcessEnv): ReturnType<ReadAccess> {
  if (await exists(serviceAccountFolder)) return readServiceAccount(env);
  throw new HeadgateError('CLUSTER_UNREACHABLE', 'Cannot find a cluster as no kubeconfig says where one is', {
    hint: 'set KUBECONFIG to a file, or make ~/.kube/config',
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false, // Not there or not ours to read: the next place is asked.
  );
}
