import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RunningServer, startRegistry } from '../servers/index.ts';
import { pullImage } from './pull.ts';
import { pushByHand } from './push.rig.ts';

const base = [{ name: 'usr/bin/tool', mode: 0o755, text: 'a big base' }];
const config = {
  Entrypoint: ['tool'],
  Cmd: ['--now'],
  Env: ['PATH=/usr/bin', 'A=b=c'],
  User: '1000',
  WorkingDir: '/app',
};

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

let folder: string;
let images: string;
let registry: RunningServer;
const signal = () => AbortSignal.timeout(20_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-pull-'));
  images = join(folder, 'images');
  registry = await startRegistry({ folder: join(folder, 'registry') });
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('pullImage() unpacks an image and says how it wants to be run', async () => {
  const reference = await pushByHand(registry.url, 'a', { layers: [base, [{ name: 'app/a', text: 'A' }]], config });

  const { root, config: seen } = await pullImage(reference, images, signal());

  expect(await readFile(join(root, 'app/a'), 'utf8')).toBe('A');
  expect((await stat(join(root, 'proc'))).isDirectory()).toBe(true);
  expect(seen).toEqual({
    entrypoint: ['tool', '--now'],
    env: { PATH: '/usr/bin', A: 'b=c' },
    user: '1000',
    workdir: '/app',
  });
});

test('pullImage() shares a base between images and leaves no half work', async () => {
  const first = await pushByHand(registry.url, 'a', { layers: [base, [{ name: 'app/a', text: 'A' }]], config });
  const second = await pushByHand(registry.url, 'b', { layers: [base, [{ name: 'app/b', text: 'B' }]], config });

  const roots = await Promise.all([first, second, second].map((each) => pullImage(each, images, signal())));

  const inodes = await Promise.all(roots.map(async ({ root }) => (await stat(join(root, 'usr/bin/tool'))).ino));
  expect(new Set(inodes).size).toBe(1);
  expect((await readdir(images)).sort()).toEqual(['layers', 'roots']);
});

test('pullImage() by one that comes while another ends gives both the whole configuration', async () => {
  // Large, so that its writing takes long enough to be read in the midst of it.
  const large = { ...config, Env: ['PATH=/usr/bin', `LONG=${'x'.repeat(1_000_000)}`] };
  const many = { layers: [base, [{ name: 'app/c', text: 'C' }]], config: large };
  const reference = await pushByHand(registry.url, 'c', many);

  for (let round = 0; round < 3; round += 1) {
    const fresh = join(folder, `many-${round}`);
    const pulled = await Promise.all(Array.from({ length: 8 }, () => pullImage(reference, fresh, signal())));
    expect(pulled.filter(({ config: seen }) => seen.env['LONG']?.length !== 1_000_000)).toEqual([]);
  }
});

test('pullImage() refuses a layer with a flipped byte and keeps nothing of it', async () => {
  const reference = await pushByHand(registry.url, 'flipped', { layers: [[{ name: 'f', text: 'flip me' }]], config });
  const manifestUrl = `${registry.url}/v2/flipped/manifests/${reference.split('@')[1]}`;
  const manifest = (await (await fetch(manifestUrl, { headers: { accept: manifestType } })).json()) as {
    layers: { digest: string }[];
  };
  const hex = manifest.layers[0]!.digest.slice('sha256:'.length);
  const file = join(folder, 'registry/storage/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const bytes = await readFile(file);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(file, bytes);

  await expect(pullImage(reference, images, signal())).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  expect((await readdir(images)).filter((name) => name.startsWith('part-'))).toEqual([]);
});

test('pullImage() says when the registry does not have it', async () => {
  const reference = `${new URL(registry.url).host}/none@sha256:${'0'.repeat(64)}`;

  await expect(pullImage(reference, images, signal())).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
});

test('pullImage() wants a digest', async () => {
  await expect(pullImage('localhost:5000/a:latest', images, signal())).rejects.toMatchObject({ code: 'USAGE' });
});
