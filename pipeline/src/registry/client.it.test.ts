import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digest } from '@headgate/rollout';
import { freePort, type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type BuiltImage, openImageBuilder } from '../image/image.ts';
import { writeLayer } from '../image/layer.ts';
import { imageExists, nameImage, pushImage, resolveTag } from './client.ts';

const signal = AbortSignal.timeout(60_000);
const mountFrom = undefined;

describe('the registry client', () => {
  let folder: string;
  let registry: RunningServer;
  let host: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-push-'));
    registry = await startRegistry({ folder: join(folder, 'registry') });
    host = new URL(registry.url).host;
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function anImage(name: string): Promise<BuiltImage> {
    const source = `services/${name}`;
    await mkdir(join(folder, source, 'src'), { recursive: true });
    await writeFile(join(folder, source, 'src/main.ts'), `export const name = '${name}';`);
    const entry = { kind: 'file', path: 'etc/base', executable: false, content: Buffer.from('base') } as const;
    const base = await writeLayer([entry], { file: join(folder, `base-${name}`), level: 1, signal });
    const builder = await openImageBuilder('memory', { base: async () => [base] });
    return builder.build({ workspace: folder, source, labels: {}, layout: join(folder, `out/${name}`) }, signal);
  }

  test('pushImage() makes the image exist under its digest, without a tag, and may be repeated', async () => {
    const image = await anImage('pushed');
    const repository = `${host}/app/pushed`;
    expect(await imageExists({ repository, digest: image.digest }, signal)).toBe(false);

    const pinned = await pushImage(image.layout, { repository, mountFrom }, signal);
    const again = await pushImage(image.layout, { repository, mountFrom }, signal);

    expect(again).toEqual(pinned);
    expect(pinned).toEqual({ repository, digest: image.digest });
    expect(await imageExists(pinned, signal)).toBe(true);
    expect(await resolveTag(repository, 'latest', signal)).toBeUndefined();
    for (const layer of image.layers) {
      const answer = await fetch(`http://${host}/v2/app/pushed/blobs/${layer.digest}`);
      expect((await answer.arrayBuffer()).byteLength).toBe(layer.sizeBytes);
    }
  });

  test('pushImage() takes a layer over from the repository of a neighbour', async () => {
    const [one, two] = [await anImage('one'), await anImage('two')];
    await pushImage(one.layout, { repository: `${host}/app/one`, mountFrom }, signal);
    // What is not on this disk cannot have been sent.
    const sent: string[] = [];
    await using proxy = await tapped(host, (line) => sent.push(line));

    await pushImage(two.layout, { repository: `${proxy.host}/app/two`, mountFrom: `${proxy.host}/app/one` }, signal);

    const shared = one.layers[0]?.digest;
    expect(two.layers[0]?.digest).toBe(shared);
    expect(sent.filter((line) => line.startsWith('PUT') && line.includes(encodeURIComponent(shared ?? '')))).toEqual(
      [],
    );
    expect(sent.filter((line) => line.startsWith('POST') && line.includes('mount='))).not.toEqual([]);
    expect(await imageExists({ repository: `${host}/app/two`, digest: two.digest }, signal)).toBe(true);
  });

  test('pushImage() refuses a layout with one flipped byte, wherever it is, and leaves no image behind', async () => {
    const image = await anImage('flipped');
    const blobs = join(image.layout, 'blobs/sha256');
    for (const blob of await readdir(blobs)) {
      const whole = await readFile(join(blobs, blob));
      await writeFile(join(blobs, blob), whole.with(whole.length >> 1, ~(whole[whole.length >> 1] ?? 0) & 0xff));

      const pushing = pushImage(image.layout, { repository: `${host}/app/flipped`, mountFrom }, signal);

      await expect(pushing).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
      await writeFile(join(blobs, blob), whole);
    }
    expect(await imageExists({ repository: `${host}/app/flipped`, digest: image.digest }, signal)).toBe(false);
  });

  test('nameImage() gives the same digest a tag, here and in another repository', async () => {
    const image = await anImage('named');
    const pinned = await pushImage(image.layout, { repository: `${host}/app/named`, mountFrom }, signal);

    await nameImage(pinned, { repository: pinned.repository, tag: 'in-0001' }, signal);
    const elsewhere = await nameImage(pinned, { repository: `${host}/production/named`, tag: 'now' }, signal);

    expect(await resolveTag(pinned.repository, 'in-0001', signal)).toBe(image.digest);
    expect(await resolveTag(elsewhere.repository, 'now', signal)).toBe(image.digest);
    expect(await imageExists(elsewhere, signal)).toBe(true);
  });

  test('nameImage() refuses an image whose manifest was changed in the storage of the registry', async () => {
    const image = await anImage('tampered');
    const pinned = await pushImage(image.layout, { repository: `${host}/app/tampered`, mountFrom }, signal);
    const hex = image.digest.slice('sha256:'.length);
    const file = join(folder, 'registry/storage/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"schemaVersion":2', '"schemaVersion": 2'));

    await expect(nameImage(pinned, { repository: pinned.repository, tag: 'x' }, signal)).rejects.toMatchObject({
      code: expect.stringMatching(/IMAGE_CORRUPT|REGISTRY_/),
    });

    expect(await resolveTag(pinned.repository, 'x', signal)).toBeUndefined();
  });

  test('a broken connection is tried again', async () => {
    const image = await anImage('again');
    await using proxy = await tapped(host, () => {}, { breaks: 2 });

    const pinned = await pushImage(image.layout, { repository: `${proxy.host}/app/again`, mountFrom }, signal);

    expect(pinned.digest).toBe(image.digest);
  });

  test('no registry is an error that says where to look', async () => {
    const repository = `127.0.0.1:${await freePort()}/app/a`;

    await expect(imageExists({ repository, digest: digest(`sha256:${'0'.repeat(64)}`) }, signal)).rejects.toMatchObject(
      {
        code: 'REGISTRY_UNREACHABLE',
        hint: expect.stringContaining(repository.split('/')[0]!),
      },
    );
  });

  test('a registry that says no is an error that says what it said', async () => {
    const gone = { repository: `${host}/app/nothing`, digest: digest(`sha256:${'0'.repeat(64)}`) };

    await expect(nameImage(gone, { repository: gone.repository, tag: 'x' }, signal)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('404'),
    });
  });

  test('an abort ends a request that waits', async () => {
    await using silent = await tapped(host, () => {}, { silent: true });
    const stop = new AbortController();
    const asking = resolveTag(`${silent.host}/app/a`, 'x', stop.signal);
    await silent.connected;
    stop.abort();

    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
  });
});

/** A TCP relay before `host` that tells each line it carries; it may break its first connections or answer nothing. */
async function tapped(
  host: string,
  onLine: (line: string) => void,
  { breaks = 0, silent = false }: { breaks?: number; silent?: boolean } = {},
): Promise<AsyncDisposable & { host: string; connected: Promise<unknown> }> {
  let toBreak = breaks;
  const server = createServer((socket) => {
    if (toBreak-- > 0) return void socket.once('data', () => socket.destroy());
    if (silent) return;
    const [name, port] = host.split(':');
    const target = dial(Number(port), name);
    for (const end of [socket, target]) end.on('error', () => end.destroy());
    socket.on('data', (chunk) => chunk.toString('latin1').split('\r\n').forEach(onLine));
    socket.pipe(target).pipe(socket);
    socket.on('close', () => target.destroy());
  });
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket));
  const connected = once(server, 'connection');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    host: `127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    connected,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
