import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { kubectlEnv, readCluster } from '../cli/cluster.rig.ts';
import { openKubectl } from './kubectl.ts';

const signal = (): AbortSignal => AbortSignal.timeout(30_000);
const own = () => ({ namespace: 'default', env: { ...kubectlEnv, HEADGATE_KUBECONFIG: readCluster().kubeconfig } });

test('openKubectl() tells a cluster that refuses, with its words, from one that does not answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-kubectl-'));
  const file = join(folder, 'kubeconfig');
  const dead = {
    clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'a', user: { token: 'a' } }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    'current-context': 'a',
  };
  await writeFile(file, JSON.stringify(dead));
  const nowhere = { namespace: 'default', env: { ...kubectlEnv, HEADGATE_KUBECONFIG: file } };

  const refused = openKubectl(own(), signal())(['get', 'nonsense']);
  const silent = openKubectl(nowhere, signal());
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } });

  await expect(refused).rejects.toMatchObject({
    code: 'CLUSTER_REFUSED',
    message: expect.stringContaining('"nonsense"'),
  });
  await expect(silent(['get', 'pods'])).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  await expect(silent(['diff', '--filename=-'], { input })).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
  await rm(folder, { recursive: true });
});

test('openKubectl() ends one that takes longer than it may, and says so', async () => {
  const watching = openKubectl(own(), signal())(['get', 'pods', '--watch'], { maxMs: 1_000 });

  await expect(watching).rejects.toMatchObject({
    code: 'CLUSTER_UNREACHABLE',
    message: 'Cannot go on as `kubectl get` says: nothing for 1 s',
  });
});
