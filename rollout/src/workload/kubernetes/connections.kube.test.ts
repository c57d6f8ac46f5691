import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { type KubernetesRig, podRevision, startKubernetesRig } from '../kubernetes.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

async function bringUp(rig: KubernetesRig, proxy: 'sound' | 'deaf'): Promise<string> {
  await rig.workload.setRevision('green', await podRevision({ proxy }), signal());
  await rig.workload.scale('green', { proxy: 1 }, signal());
  await rig.until('green', ({ services }) => services['proxy']?.ready === 1);
  const pod = (await rig.pods('green')).find(({ metadata }) => metadata.labels?.['headgate.dev/service'] === 'proxy');
  return pod?.status?.podIP ?? '';
}

withPods('closeConnections()', () => {
  test.each(['pod', 'api-server'] as const)('ends a websocket of a pod that is reached by %s', async (reach) => {
    await using rig = await startKubernetesRig();
    const address = await bringUp(rig, 'sound');
    const socket = connect(8080, address).on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [head] = await once(socket, 'data');
    const closed = once(socket, 'close');

    await rig.open({ reach }).closeConnections('blue', 0, signal());
    await rig.open({ reach }).closeConnections('green', 0, signal());

    await closed;
    expect(String(head)).toMatch(/^HTTP\/1\.1 101 /);
  });

  test.each(['pod', 'api-server'] as const)('names the pod that does not end them, reached by %s', async (reach) => {
    await using rig = await startKubernetesRig();
    await bringUp(rig, 'deaf');

    await expect(rig.open({ reach }).closeConnections('green', 5_000, signal())).rejects.toMatchObject({
      code: 'WORKLOAD_UNREACHABLE',
      message: expect.stringMatching(
        /pod ratings-green-proxy-\S+ as its proxy must take POST \/connections\/close\?olderThanMs=5000: current value is "404"$/,
      ),
    });
  });
});
