import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digest, parseSpec } from '@headgate/rollout';
import { pullImage } from '@headgate/rollout/local';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { imageBuild, type imageTest, publishStep } from '../deploy/image-steps.ts';
import type { Place } from '../deploy/place.ts';
import { aBench } from '../pipeline.rig.ts';
import { made, record, text } from '../plan/schema.ts';
import { imageExists, nameImage, type Pinned, pushImage, putDocument, resolveTag } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { requireVouched, vouch } from '../sign/vouch.ts';
import { step } from '../step.ts';
import { fromRegistry } from './from-registry.ts';
import { openImageBuilder } from './image.ts';
import { writeLayer } from './layer.ts';
import { digestOf, mediaTypes, platform, readLayout } from './layout.ts';

const signal = AbortSignal.timeout(60_000);
const baseBytes = 3_000_000;
let folder: string;
let registry: RunningServer;
let other: RunningServer;
let counted: Awaited<ReturnType<typeof countedBefore>>;
let base: { readonly repository: string; readonly digest: Digest };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-from-registry-'));
  registry = await startRegistry();
  other = await startRegistry();
  counted = await countedBefore(registry.url);
  base = await aBase(`${counted.host}/bases/node`);
});
afterAll(async () => {
  await counted[Symbol.asyncDispose]();
  for (const server of [registry, other]) await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  counted.sent = 0;
});

/** It cannot be made small, so that nobody overlooks that it was sent. */
async function aBase(repository: string) {
  const random = randomBytes(baseBytes);
  const entry = { kind: 'file', path: 'usr/local/bin/node', executable: true, content: random } as const;
  const layer = await writeLayer([entry], { file: join(folder, 'base'), level: 1, signal });
  await mkdir(join(folder, 'base-src/src'), { recursive: true });
  await writeFile(join(folder, 'base-src/src/main.ts'), '');
  const builder = await openImageBuilder('memory', { base: async () => [layer] });
  const layout = join(folder, 'base-layout');
  await builder.build({ workspace: folder, source: 'base-src', labels: {}, layout }, signal);
  return pushImage(layout, { repository, mountFrom: undefined }, signal);
}

/** Image and publication of two services, as a delivery has them, on this base. */
async function publishOn(reference: string, prefix: string) {
  const yaml = `app: shop\nimage: { base: "${reference}" }\nservices:\n  web: { source: web, port: 80 }\n  back: { source: back }\n`;
  const parsed = parseSpec(
    yaml.replace('source: back', 'source: back, pulls: [get.x]').concat('queue: { jetstream: nats://nats:4222 }\n'),
    {
      file: 'headgate.yaml',
    },
  );
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { spec } = parsed;
  await using bench = await aBench({
    'web/src/main.ts': "console.log('web');",
    'web/package.json': '{}',
    'back/src/main.ts': "console.log('back');",
    'back/package.json': '{}',
  });
  const cache = join(folder, 'cache');
  const place: Place = {
    spec,
    root: bench.root,
    cache,
    builder: 'oci',
    baseKey: reference,
    registry: prefix,
    live: undefined,
  };
  const images = Object.keys(spec.services).map((service) => imageBuild(place, service, []));
  const tests = images.map((image) =>
    step(image.id.replace('image', 'imagetest'), {
      kind: 'pure',
      needs: [image],
      outputs: { values: record({ digest: made(text, digest) }) },
      run: ({ out }) => ({ digest: out[image.id]?.digest ?? digest('') }),
    }),
  ) as unknown as ReturnType<typeof imageTest>[];
  const { exitCode, of } = await bench.run([...images, ...tests, publishStep(place, tests)]);
  expect([exitCode, of('step.fail')]).toEqual([0, []]);
  const { contents } = await readLayout(join(bench.root, 'out/images/web'));
  const { digest: own } = JSON.parse(await readFile(join(bench.root, 'out/images/web/index.json'), 'utf8'))
    .manifests[0];
  return { contents, web: `${prefix}/web@${digest(own)}` };
}

test('a base in the registry that is published to is mounted: no byte of it is sent, and the image has its very layers', async () => {
  const reference = `${base.repository}@${base.digest}`;

  const { contents, web } = await publishOn(reference, `${counted.host}/shop`);

  const [layer] = await fromRegistry({ cacheFolder: join(folder, 'cache/base'), reference }).base(signal);
  expect(layer?.sizeBytes).toBeGreaterThan(baseBytes / 2);
  expect(contents.layers[0]).toMatchObject({ digest: layer?.digest, size: layer?.sizeBytes });
  expect(counted.sent).toBeGreaterThan(0);
  expect(counted.sent).toBeLessThan(20_000); // Two bundles, configs and manifests.
  const { root } = await pullImage(web, join(folder, 'images'), signal);
  expect((await readFile(join(root, 'usr/local/bin/node'))).length).toBe(baseBytes);
});

test('a base in another registry is copied, once for all services', async () => {
  const elsewhere = await aBase(`${new URL(other.url).host}/bases/node`);

  const { contents } = await publishOn(`${elsewhere.repository}@${elsewhere.digest}`, `${counted.host}/elsewhere`);

  const size = contents.layers[0]?.size ?? 0;
  expect(counted.sent).toBeGreaterThan(size);
  expect(counted.sent).toBeLessThan(size + 20_000);
});

test('of an index the image for this machine is taken', async () => {
  const bytes = Buffer.from(
    await (
      await fetch(`${registry.url}/v2/bases/node/manifests/${base.digest}`, {
        headers: { accept: mediaTypes.manifest },
      })
    ).arrayBuffer(),
  );
  const own = { mediaType: mediaTypes.manifest, digest: base.digest, size: bytes.length, platform: platform() };
  const foreign = { ...own, digest: `sha256:${'0'.repeat(64)}`, platform: { architecture: 's390x', os: 'linux' } };
  const put = async (manifests: readonly unknown[]) => {
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
    await putDocument(
      parseRepository(base.repository),
      { name: digestOf(body), mediaType: mediaTypes.index, body },
      signal,
    );
    return `${base.repository}@${digestOf(body)}`;
  };
  const layersOf = (reference: string) =>
    fromRegistry({ cacheFolder: join(folder, 'cache/base'), reference }).base(signal);

  const layers = await layersOf(await put([own]));

  expect(layers).toEqual(await layersOf(`${base.repository}@${base.digest}`));
  await expect(layersOf(`${base.repository}@sha256:${'1'.repeat(64)}`)).rejects.toMatchObject({
    code: 'IMAGE_CORRUPT',
  });
  // A registry takes no index of images that it has not.
  const without = { ...own, platform: foreign.platform };
  await expect(layersOf(await put([without]))).rejects.toMatchObject({
    code: 'IMAGE_CORRUPT',
    message: expect.stringContaining(`it must have an image for linux/${platform().architecture}`),
  });
});

test('of an index for amd64 and arm64 one image is made for each, and their index is what is published, signed and named', async () => {
  const { repository } = base;
  const bases = [await aBase(repository), await aBase(repository)];
  const platforms = [
    { architecture: 'amd64', os: 'linux' },
    { architecture: 'arm64', os: 'linux' },
  ];
  const manifests = await Promise.all(
    bases.map(async ({ digest: of }, i) => {
      const { length: size } = await documentOf('bases/node', of);
      return { mediaType: mediaTypes.manifest, digest: of, size, platform: platforms[i] };
    }),
  );
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }));
  const name = digestOf(body);
  await putDocument(parseRepository(repository), { name, mediaType: mediaTypes.index, body }, signal);
  counted.sent = 0;
  counted.read = [];

  const both = fromRegistry({ cacheFolder: join(folder, 'cache/both'), reference: `${repository}@${name}` });
  await both.base(signal);
  expect(await both.others(signal)).toHaveLength(1);
  expect(counted.read.filter((path) => path.includes('/manifests/')).toSorted()).toEqual(
    [name, ...bases.map((one) => one.digest)].map((of) => `/v2/bases/node/manifests/${of}`).toSorted(),
  );

  const { web } = await publishOn(`${repository}@${name}`, `${counted.host}/both`);

  expect(counted.sent).toBeLessThan(20_000); // Both bases are mounted.
  const [, made = ''] = web.split('@');
  const index = JSON.parse((await documentOf('both/web', made)).toString()) as Listed;
  expect(index.manifests.map((one) => one.platform)).toEqual(platforms);
  const images = await Promise.all(
    index.manifests.map(async ({ digest: of }) => {
      const { config, layers } = JSON.parse((await documentOf('both/web', of)).toString()) as Listed;
      const written = await fetch(`${registry.url}/v2/both/web/blobs/${config.digest}`);
      const { architecture } = (await written.json()) as { architecture: string };
      return { architecture, layers: layers.map((layer) => layer.digest) };
    }),
  );
  const belows = await Promise.all(
    bases.map(
      async ({ digest: of }) => (JSON.parse((await documentOf('bases/node', of)).toString()) as Listed).layers[0],
    ),
  );
  expect(images.map(({ architecture }) => architecture)).toEqual(['amd64', 'arm64']);
  expect(images.map(({ layers }) => layers[0])).toEqual(belows.map((below) => below?.digest));
  expect(images[0]?.layers.at(-1)).toBe(images[1]?.layers.at(-1)); // The service itself is one layer for both.

  const { root } = await pullImage(web, join(folder, 'images'), signal);
  const node = await readFile(join(root, 'usr/local/bin/node'));
  expect(node.equals(await nodeOf(bases[platform().architecture === 'amd64' ? 0 : 1]))).toBe(true);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pinned = { repository: `${counted.host}/both/web`, digest: digest(made) };
  await vouch(pinned, privateKey, signal);
  await requireVouched([pinned], publicKey, signal);
  const named = await nameImage(pinned, { repository: `${counted.host}/both/named`, tag: 'now' }, signal);
  expect(await imageExists(named, signal)).toBe(true);
  expect(await resolveTag(named.repository, 'now', signal)).toBe(made);
});

type Listed = {
  readonly manifests: readonly { readonly digest: string; readonly platform: unknown }[];
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
};

async function documentOf(name: string, of: string): Promise<Buffer> {
  const headers = { accept: `${mediaTypes.manifest}, ${mediaTypes.index}` };
  const answer = await fetch(`${registry.url}/v2/${name}/manifests/${of}`, { headers });
  expect(answer.status).toBe(200);
  return Buffer.from(await answer.arrayBuffer());
}

async function nodeOf(image: Pinned | undefined): Promise<Buffer> {
  const { root } = await pullImage(`${image?.repository}@${image?.digest}`, join(folder, 'bases'), signal);
  return readFile(join(root, 'usr/local/bin/node'));
}

/** A way to the registry that counts the bytes of what is uploaded, and keeps what is read. */
async function countedBefore(url: string) {
  const { hostname, port } = new URL(url);
  const rig = { sent: 0, read: [] as string[] };
  const server = createServer((asked, answer) => {
    asked.on('data', (chunk: Buffer) => {
      rig.sent += chunk.length;
    });
    const { method, url: path = '', headers } = asked;
    if (method === 'GET') rig.read.push(path);
    const onward = request({ hostname, port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number }; // It listens on TCP.
  return Object.assign(rig, {
    host: `127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}
