import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { pushByHand } from '../local/image/push.rig.ts';
import type { KubeObject } from './client.ts';
import { temporaryNamespace, testCluster } from './cluster.rig.ts';
import { kinds } from './kinds.ts';

type Pod = KubeObject & {
  readonly spec: unknown;
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly { readonly ready: boolean; readonly imageID: string }[];
  };
};

const { registry } = testCluster();
const pauseBinary = join(
  process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube'),
  'src/pauseroot/pause',
);

/** Without a node nothing pulls. */
(registry === null ? describe.skip : describe)('the test cluster', () => {
  test('runs a pod whose image is pulled from its registry by digest', async () => {
    await using namespace = await temporaryNamespace();
    const signal = AbortSignal.timeout(25_000);
    const files = [{ name: 'pause', mode: 0o755, text: await readFile(pauseBinary) }];
    const name = `pulled-${namespace.name}`;
    const image = await pushByHand(`http://${registry}`, name, { layers: [files], config: { Entrypoint: ['/pause'] } });
    const container = { name: 'main', image, securityContext: { runAsUser: 1000 } };
    const spec = { containers: [container], terminationGracePeriodSeconds: 1 };

    await namespace.client.create<Pod>(kinds.Pod, { metadata: { name: 'one' }, spec }, signal);

    let pod: Pod | undefined;
    for await (const change of namespace.client.watch<Pod>(kinds.Pod, { name: 'one' }, signal)) {
      if (change.kind === 'set') pod = change.object;
      if (pod?.status?.containerStatuses?.[0]?.ready === true) break;
    }
    expect(pod?.status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true }] });
    expect(pod?.status?.containerStatuses?.[0]?.imageID).toContain(image.split('@')[1]);
  });
});
