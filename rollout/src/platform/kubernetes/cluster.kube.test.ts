import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { pushByHand } from '../local/image/push.rig.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { temporaryNamespace, testCluster } from './cluster.rig.ts';
import { kinds } from './kinds.ts';

type Pod = KubeObject & {
  readonly spec: unknown;
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly imageID: string;
      readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
    }[];
  };
};

const { registry } = testCluster();
const pauseBinary = join(
  process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube'),
  'src/pauseroot/pause',
);

async function readyStatus(client: KubeClient, signal: AbortSignal): Promise<Pod['status']> {
  let pod: Pod | undefined;
  for await (const change of client.watch<Pod>(kinds.Pod, { name: 'one' }, signal)) {
    if (change.kind === 'set') pod = change.object;
    if (pod?.status?.containerStatuses?.[0]?.ready === true) break;
  }
  return pod?.status;
}

/** Of one image alone: containerd tells those with the same content by whichever of their names it likes. */
function configOf(name: string) {
  return { Entrypoint: ['/pause'], Env: [`OF=${name}`] };
}

/** Without a node nothing pulls. */
(registry === null ? describe.skip : describe)('the test cluster', () => {
  test('runs a pod whose image is pulled from its registry by digest', async () => {
    await using namespace = await temporaryNamespace();
    const signal = AbortSignal.timeout(25_000);
    const files = [{ name: 'pause', mode: 0o755, text: await readFile(pauseBinary) }];
    const name = `pulled-${namespace.name}`;
    const image = await pushByHand(`http://${registry}`, name, { layers: [files], config: configOf(name) });
    const container = { name: 'main', image, securityContext: { runAsUser: 1000 } };
    const spec = { containers: [container], terminationGracePeriodSeconds: 1 };

    await namespace.client.create<Pod>(kinds.Pod, { metadata: { name: 'one' }, spec }, signal);

    const status = await readyStatus(namespace.client, signal);
    expect(status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true }] });
    expect(status?.containerStatuses?.[0]?.imageID).toContain(image.split('@')[1]);
  });

  test('runs the image for its own platform of an index that is named by digest', async () => {
    await using namespace = await temporaryNamespace();
    const signal = AbortSignal.timeout(25_000);
    const files = [{ name: 'pause', mode: 0o755, text: await readFile(pauseBinary) }];
    const name = `index-${namespace.name}`;
    const image = await pushByHand(`http://${registry}`, name, { layers: [files], config: configOf(name) });
    const foreign = await pushByHand(`http://${registry}`, name, { layers: [], config: { Entrypoint: ['/none'] } });
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const place = `http://${registry}/v2/${name}/manifests`;
    const entryOf = async (reference: string, architecture: string) => {
      const digest = reference.split('@')[1];
      const { byteLength: size } = await (
        await fetch(`${place}/${digest}`, { headers: { accept: mediaType } })
      ).arrayBuffer();
      return { mediaType, digest, size, platform: { os: 'linux', architecture } };
    };
    const [own, other] = process.arch === 'x64' ? ['amd64', 'arm64'] : ['arm64', 'amd64'];
    const manifests = [await entryOf(foreign, other), await entryOf(image, own)];
    const indexType = 'application/vnd.oci.image.index.v1+json';
    const body = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
    const put = await fetch(`${place}/both`, { method: 'PUT', headers: { 'content-type': indexType }, body });
    const index = put.headers.get('docker-content-digest') ?? '';
    const container = { name: 'main', image: `${registry}/${name}@${index}`, securityContext: { runAsUser: 1000 } };
    const spec = { containers: [container], terminationGracePeriodSeconds: 1 };

    await namespace.client.create<Pod>(kinds.Pod, { metadata: { name: 'one' }, spec }, signal);

    const status = await readyStatus(namespace.client, signal);
    expect(status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true }] });
    expect(status?.containerStatuses?.[0]?.imageID).toContain(index);
  });

  const settings = join(dirname(process.env['HEADGATE_KUBE_CLUSTER'] ?? ''), 'registry.yaml');
  // Only in the storage of a registry of our own can a byte be flipped.
  const flips = existsSync(settings) ? test.each : test.skip.each;
  flips(['manifest', 'config', 'layer'] as const)(
    'its containerd runs no image whose %s has a flipped byte in the storage of the registry',
    async (part) => {
      await using namespace = await temporaryNamespace();
      const signal = AbortSignal.timeout(25_000);
      const files = [
        { name: 'pause', mode: 0o755, text: await readFile(pauseBinary) },
        { name: 'of', text: namespace.name },
      ];
      const name = `flipped-${namespace.name}`;
      const config = configOf(namespace.name);
      const image = await pushByHand(`http://${registry}`, name, { layers: [files], config });
      const [, digest = ''] = image.split('@');
      const { storage } = load(readFileSync(settings, 'utf8')) as {
        storage: { filesystem: { rootdirectory: string } };
      };
      const fileOf = (of: string) =>
        join(storage.filesystem.rootdirectory, 'docker/registry/v2/blobs/sha256', of.slice(7, 9), of.slice(7), 'data');
      const manifest = JSON.parse(await readFile(fileOf(digest), 'utf8')) as {
        config: { digest: string };
        layers: { digest: string }[];
      };
      const flipped = { manifest: digest, config: manifest.config.digest, layer: manifest.layers[0]?.digest ?? '' }[
        part
      ];
      const bytes = await readFile(fileOf(flipped));
      // In the middle, which in the documents is a letter or digit of a text.
      await writeFile(fileOf(flipped), bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 1));
      const container = { name: 'main', image, securityContext: { runAsUser: 1000 } };
      const spec = { containers: [container], terminationGracePeriodSeconds: 1 };

      await namespace.client.create<Pod>(kinds.Pod, { metadata: { name: 'one' }, spec }, signal);

      const seen: string[] = [];
      for await (const change of namespace.client.watch<Pod>(kinds.Pod, { name: 'one' }, signal)) {
        const status = change.kind === 'set' ? change.object.status?.containerStatuses?.[0] : undefined;
        if (status !== undefined)
          seen.push(`${status.ready} ${status.state.waiting?.reason} ${status.state.waiting?.message}`);
        if (status?.ready || /ImagePull/.test(status?.state.waiting?.reason ?? '')) break;
      }
      expect(seen.at(-1)).toMatch(/^false (ErrImagePull|ImagePullBackOff) .*digest/);
    },
  );
});
