import { expect, test } from '@jest/globals';
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { podRepository, pushFakeService } from '../platform/kubernetes/pod-image.rig.ts';
import { holderOf, podPeers } from './peers.ts';
import { until } from './until.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const withNode = testCluster().mode === 'full' ? test : test.skip;

withNode(
  'a peer has ended when the kubelet says so of its container: not while it runs, nor when nobody says anything',
  async () => {
    await using namespace = await temporaryNamespace();
    const { client } = namespace;
    const { hasEnded } = podPeers(client, 'own');
    await runPod(client, 'peer');
    await until(async () => (await phaseOf(client, 'peer')) === 'Running', signal());

    expect(await hasEnded(holderOf('peer'), signal())).toBe(false);
    expect(await hasEnded(holderOf('own'), signal())).toBe(false);
    expect(await hasEnded(holderOf('nobody'), signal())).toBe(false);
    expect(await hasEnded('kim@desk', signal())).toBe(false);

    await client.merge(kinds.Pod, 'peer', { spec: { activeDeadlineSeconds: 1 } }, signal());
    await until(() => hasEnded(holderOf('peer'), signal()), signal());
  },
);

async function runPod(client: KubeClient, name: string): Promise<void> {
  const image = `${podRepository()}@${await pushFakeService('well')}`;
  const container = { name: 'controller', image, env: [{ name: 'PORT', value: '8080' }] };
  const spec = { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container] };
  await client.create(kinds.Pod, { metadata: { name }, spec }, signal());
}

async function phaseOf(client: KubeClient, name: string): Promise<string | undefined> {
  const pod = await client.get<{ metadata: { name: string }; status?: { phase?: string } }>(kinds.Pod, name, signal());
  return pod?.status?.phase;
}
