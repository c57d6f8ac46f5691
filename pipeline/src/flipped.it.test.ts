/** One flipped byte, wherever an image or what belongs to it lies: it is refused, by name, and never taken for something else. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pullImage } from '@headgate/rollout/local';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openFolderCache } from './cache/folder.ts';
import { openRegistryCache } from './cache/registry.ts';
import { anImage } from './image/built.rig.ts';
import { digestOf, mediaTypes, readLayout, requireImage } from './image/layout.ts';
import { aBench } from './pipeline.rig.ts';
import { record, text } from './plan/schema.ts';
import { type Pinned, pushImage, putDocument } from './registry/client.ts';
import { parseRepository } from './registry/http.ts';
import { attach, attached } from './sign/attach.ts';
import { requireKept } from './sign/kept.ts';
import { sbomType } from './sign/sbom.ts';
import { requireVouched, vouch } from './sign/vouch.ts';
import { step } from './step.ts';

const signal = AbortSignal.timeout(60_000);
const mountFrom = undefined;

let folder: string;
let registry: RunningServer;
let host: string;
let number = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-flipped-'));
  registry = await startRegistry({ folder: join(folder, 'registry') });
  host = new URL(registry.url).host;
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** First, last, in the middle and somewhere. */
function places(bytes: Buffer): readonly number[] {
  return [0, bytes.length - 1, bytes.length >> 1, Math.floor(Math.random() * bytes.length)];
}

/** Plays with a byte of the file flipped, and puts it right again. */
async function flipped<T>(file: string, at: number, play: () => Promise<T>): Promise<T> {
  const whole = await readFile(file);
  await writeFile(file, whole.with(at, (whole[at] ?? 0) ^ 1));
  try {
    return await play();
  } finally {
    await writeFile(file, whole);
  }
}

const inStorage = (of: string) =>
  join(folder, 'registry/storage/docker/registry/v2/blobs/sha256', of.slice(7, 9), of.slice(7), 'data');

const outcomeOf = (acting: Promise<unknown>) =>
  acting.then(
    (value) => ({ value }),
    (error: { code?: string; message: string }) => ({ code: error.code, message: error.message }),
  );

describe('in a layout on this disk', () => {
  test('of any blob it is refused by the path of the blob, before anything is published', async () => {
    const { layout, digest: tested } = await anImage(folder, signal);
    for (const name of await readdir(join(layout, 'blobs/sha256'))) {
      const blob = join(layout, 'blobs/sha256', name);
      for (const at of places(await readFile(blob))) {
        const pushing = flipped(blob, at, () =>
          pushImage(layout, { repository: `${host}/flipped/layout`, mountFrom }, signal),
        );

        await expect(pushing).rejects.toMatchObject({ code: 'IMAGE_CORRUPT', message: expect.stringContaining(blob) });
      }
    }
    expect((await fetch(`${registry.url}/v2/flipped/layout/manifests/${tested}`)).status).toBe(404);
  });

  test('of its index it never makes another image of it, and what it says of the image is refused when it is wrong', async () => {
    const { layout, digest: tested } = await anImage(folder, signal);
    const file = join(layout, 'index.json');
    const index = await readFile(file, 'utf8');
    const refused: number[] = [];
    for (let at = 0; at < index.length; at++) {
      const outcome = await flipped(file, at, () => outcomeOf(requireImage(layout, tested)));
      if ('code' in outcome) refused.push(at);
      if ('code' in outcome)
        expect(outcome).toMatchObject({ code: 'IMAGE_CORRUPT', message: expect.stringContaining(layout) });
    }

    for (const part of [tested, 'amd64', 'arm64', mediaTypes.manifest, '"size":'].filter((one) => index.includes(one)))
      for (let at = index.indexOf(part); at < index.indexOf(part) + part.length; at++) expect(refused).toContain(at);
  });
});

test("in a registry's storage it is refused by the digest of what was flipped: index, manifest, config and each layer", async () => {
  const { layout } = await anImage(folder, signal);
  const repository = `${host}/flipped/storage`;
  const pinned = await pushImage(layout, { repository, mountFrom }, signal);
  const { manifest, contents, bytes } = await readLayout(layout);
  const platforms = [
    { architecture: 'amd64', os: 'linux' },
    { architecture: 'arm64', os: 'linux' },
  ];
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: platforms.map((platform) => ({ ...manifest, size: bytes.length, platform })),
    }),
  );
  const index = digestOf(body);
  await putDocument(parseRepository(repository), { name: index, mediaType: mediaTypes.index, body }, signal);
  const pull = () => pullImage(`${repository}@${index}`, join(folder, `images-${number++}`), signal);
  await pull();

  for (const of of [index, pinned.digest, contents.config.digest, ...contents.layers.map((layer) => layer.digest)]) {
    for (const at of places(await readFile(inStorage(of)))) {
      const outcome = await flipped(inStorage(of), at, () => outcomeOf(pull()));

      expect(outcome).toMatchObject({
        code: expect.stringMatching(/^(IMAGE_CORRUPT|REGISTRY_UNREACHABLE)$/),
        message: expect.stringContaining(of),
      });
    }
  }
});

test('in signature, list of contents, or the list of both nobody vouches for the image any more', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { layout } = await anImage(folder, signal);
  const image: Pinned = await pushImage(layout, { repository: `${host}/flipped/signed`, mountFrom }, signal);
  const content = Buffer.from('{"components":[]}');
  await attach(image, { artifactType: sbomType, content }, signal);
  await vouch(image, privateKey, signal);
  await requireVouched([image], publicKey, signal);
  const document = async (name: string, type: string) => {
    const answer = await fetch(`${registry.url}/v2/flipped/signed/manifests/${name}`, { headers: { accept: type } });
    return Buffer.from(await answer.arrayBuffer());
  };
  const list = await document(image.digest.replace(':', '-'), mediaTypes.index);
  type Named = { digest: string; artifactType?: string };
  const { manifests } = JSON.parse(list.toString()) as { manifests: Named[] };
  const partsOf = async (type: string) => {
    const [own] = manifests.filter(({ artifactType }) => artifactType?.includes(type));
    const bytes = await document(own?.digest ?? '', mediaTypes.manifest);
    return [digestOf(bytes), (JSON.parse(bytes.toString()) as { layers: Named[] }).layers[0]?.digest ?? ''];
  };
  const asking = () => outcomeOf(requireVouched([image], publicKey, signal));
  // Nobody's word, or the registry itself finds out.
  const refused = {
    code: expect.stringMatching(/^(UNSIGNED|REGISTRY_)/),
    message: expect.stringContaining(image.repository),
  };

  for (const of of await partsOf('signature')) {
    const bytes = await readFile(inStorage(of));
    // The last bits of base64 may stand for nothing.
    for (const at of places(bytes).filter((place) => place < bytes.length - 4))
      expect(await flipped(inStorage(of), at, asking)).toMatchObject(refused);
  }
  for (const of of await partsOf('cyclonedx')) {
    for (const at of places(await readFile(inStorage(of)))) {
      const found = await flipped(inStorage(of), at, () => outcomeOf(attached(image, sbomType, signal)));

      expect('code' in found ? [] : found.value).toEqual([]);
      // The registry has it, by its own word, and keeps it as it is.
      const kept = await flipped(inStorage(of), at, async () => {
        const again = await outcomeOf(attach(image, { artifactType: sbomType, content }, signal));
        return 'code' in again ? again : outcomeOf(requireKept(image, publicKey, signal));
      });
      expect(kept).toMatchObject({
        code: expect.stringMatching(/^(IMAGE_CORRUPT|REGISTRY_)/),
        message: expect.stringContaining(image.repository),
      });
    }
  }
  // Of the list any byte that leads to the signature.
  const [signature = ''] = await partsOf('signature');
  const lead = list.indexOf(signature);
  for (const at of [0, lead, lead + 70, list.indexOf('signature')])
    expect(await flipped(inStorage(digestOf(list)), at, asking)).toMatchObject(refused);
  await requireVouched([image], publicKey, signal);
});

describe('in a cache', () => {
  const build = step('build:app', {
    kind: 'pure',
    inputs: { files: ['src'] },
    outputs: { files: ['out/a'], values: record({ digest: text }) },
    run: async ({ $ }) => {
      await $`mkdir -p out && cp src out/a && echo built`;
      return { digest: `sha256:${'1'.repeat(64)}` };
    },
  });

  test('on this disk the entry is refused by its path, at every byte, and the step runs again', async () => {
    const folderOfCache = join(folder, 'cache');
    const cache = openFolderCache(folderOfCache);
    await using bench = await aBench({ src: 'one' });
    await bench.run([build], { cache });
    const steps = join(folderOfCache, 'steps/build.app');
    const [name = ''] = await readdir(steps);
    const file = join(steps, name);
    const { length } = await readFile(file);
    for (let at = 0; at < length; at++) {
      const finding = flipped(file, at, () => cache.find('build:app', name.replace('.json', ''), signal));

      await expect(finding).rejects.toThrow(`${file} is damaged`);
    }

    const { steps: ended } = await flipped(file, length >> 1, () => bench.run([build], { cache, resume: false }));

    expect(ended['build:app']?.kind).toBe('done');
  });

  test('in the registry neither entry nor content is used, which is said, and the step runs again', async () => {
    const warnings: string[] = [];
    const options = { secret: 'shared secret', warn: (message: string) => void warnings.push(message) };
    const repository = `${host}/flipped/ci-cache`;
    const play = async (writes: boolean) => {
      await using bench = await aBench({ src: 'one' });
      const cache = openRegistryCache({ ...options, repository, writes });
      const { steps } = await bench.run([build], { cache });
      return [steps['build:app']?.kind, await readFile(join(bench.root, 'out/a'), 'utf8')];
    };
    await play(true);
    expect(await play(false)).toEqual(['cached', 'one']);
    const tags = (await (await fetch(`${registry.url}/v2/flipped/ci-cache/tags/list`)).json()) as { tags: string[] };
    const tag = tags.tags.find((name) => !name.endsWith('latest'));
    const headers = { accept: mediaTypes.manifest };
    const answer = await fetch(`${registry.url}/v2/flipped/ci-cache/manifests/${tag}`, { headers });
    const manifest = Buffer.from(await answer.arrayBuffer());
    const { layers } = JSON.parse(manifest.toString()) as { layers: { digest: string }[] };

    for (const of of layers.map((layer) => layer.digest)) {
      for (const at of places(await readFile(inStorage(of)))) {
        expect(await flipped(inStorage(of), at, () => play(false))).toEqual(['done', 'one']);
      }
    }
    expect(warnings.join()).toContain('is not used');
  });
});
