/** A namespace of the test cluster that is gone after the test, with the app of this repository in a folder and kubectl beside it. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { aShell } from './shell.rig.ts';

export const repository = join(import.meta.dirname, '../../..');

/** Where the build of the cluster puts its programs and definitions. */
export const kubeCache = process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube');

/** With the kubectl that the cluster was built with. */
export const kubectlEnv = {
  ...process.env,
  PATH: [join(kubeCache, 'bin'), process.env['PATH']].join(delimiter),
};

type Cluster = {
  /** `taken`: somebody lent it. */
  readonly mode: 'full' | 'nonode' | 'control' | 'taken';
  readonly run: string;
  readonly kubeconfig: string;
  readonly gateways: readonly string[];
  readonly ingresses: readonly string[];
  readonly registry: string;
};

export function readCluster(): Cluster {
  const file = process.env['HEADGATE_KUBE_CLUSTER'];
  if (file === undefined) throw new Error('these tests run in the Jest project kube: npm run test:kube');
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** `specOf` is headgate.yaml for the namespace; the services' manifests lie beside it as in this repository. */
export async function aClusterShell(specOf: (namespace: string) => string) {
  const { kubeconfig } = readCluster();
  process.env['HEADGATE_KUBECONFIG'] = kubeconfig;
  const namespace = `hg-${randomBytes(4).toString('hex')}`;
  // In the namespaces that the objects name.
  const everywhere = async (args: readonly string[], input = ''): Promise<string> => {
    const running = promisify(execFile)('kubectl', ['--kubeconfig', kubeconfig, ...args], {
      env: kubectlEnv,
      maxBuffer: 16_000_000,
    });
    running.child.stdin?.end(input);
    return (await running).stdout;
  };
  const kubectl = (args: readonly string[], input?: string) => everywhere(['--namespace', namespace, ...args], input);
  await kubectl(['create', 'namespace', namespace]);
  const env = { ...kubectlEnv, HEADGATE_KUBECONFIG: kubeconfig };
  const shell = await aShell({ 'headgate.yaml': specOf(namespace) }, env);
  for (const service of ['proxy', 'rating']) {
    const manifests = join('services', service, 'deploy');
    await cp(join(repository, manifests), join(shell.cwd, manifests), { recursive: true });
  }
  return {
    ...shell,
    namespace,
    kubectl,
    everywhere,
    kubeconfig,
    async [Symbol.asyncDispose]() {
      await shell[Symbol.asyncDispose]();
      const far = (await kubectl(['get', 'rolebindings', '--namespace', 'gateway', '-o', 'name'])).split('\n');
      const own = far.filter((name) => name.endsWith(`-${namespace}`));
      if (own.length > 0) await kubectl(['delete', '--namespace', 'gateway', ...own]);
      await kubectl(['delete', 'namespace', namespace, '--wait=false']);
    },
  };
}
