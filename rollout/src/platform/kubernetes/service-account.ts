import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from './access.ts';

/** Where every pod finds its own token, which the kubelet renews in place. */
export const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

export async function readServiceAccount(
  env: NodeJS.ProcessEnv,
  folder: string = serviceAccountFolder,
): Promise<Access> {
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  const [token, ca] = await Promise.all([read('token'), read('ca.crt')]);
  const host = env['KUBERNETES_SERVICE_HOST'] ?? 'kubernetes.default.svc';
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
    headers: { authorization: `Bearer ${token.trim()}` },
    tls: { ca, cert: undefined, key: undefined, servername: undefined, rejectUnauthorized: true },
    through: undefined,
  };
}
