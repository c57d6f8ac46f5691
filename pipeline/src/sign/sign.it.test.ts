import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hands } from '@headgate/rollout';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { releaseImages } from '../deploy/revise.ts';
import { openImageBuilder } from '../image/image.ts';
import { writeLayer } from '../image/layer.ts';
import { nameImage, type Pinned, pushImage, resolveTag } from '../registry/client.ts';
import { openShell } from '../run/shell.ts';
import { attach, attached } from './attach.ts';
import { sbomOf } from './sbom.ts';
import { isVouchedFor, requireVouched, vouch } from './vouch.ts';

const signal = AbortSignal.timeout(60_000);
const ours = generateKeyPairSync('ed25519');
const pem = ours.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const repository = join(import.meta.dirname, '../../..');
const theirs = generateKeyPairSync('ed25519');

describe('signatures in a registry', () => {
  let folder: string;
  let registry: RunningServer;
  let host: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-sign-'));
    registry = await startRegistry({ folder: join(folder, 'registry') });
    host = new URL(registry.url).host;
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function anImage(name: string): Promise<Pinned> {
    await mkdir(join(folder, name, 'src'), { recursive: true });
    await writeFile(join(folder, name, 'src/main.ts'), `export const name = '${name}';`);
    const entry = { kind: 'file', path: 'etc/base', executable: false, content: Buffer.from('base') } as const;
    const base = await writeLayer([entry], { file: join(folder, `base-${name}`), level: 1, signal });
    const builder = await openImageBuilder('memory', { base: async () => [base] });
    const request = { workspace: folder, source: name, labels: {}, layout: join(folder, 'out', name) };
    const { layout } = await builder.build(request, signal);
    return pushImage(layout, { repository: `${host}/app/${name}`, mountFrom: undefined }, signal);
  }

  test('an image is vouched for by the key that signed it, and by no other', async () => {
    const image = await anImage('signed');
    expect(await isVouchedFor(image, ours.publicKey, signal)).toBe(false);

    await vouch(image, ours.privateKey, signal);

    expect(await isVouchedFor(image, ours.publicKey, signal)).toBe(true);
    expect(await isVouchedFor(image, theirs.publicKey, signal)).toBe(false);
  });

  test('signing again adds nothing, and a second key stands beside the first', async () => {
    const image = await anImage('twice');
    const list = async () => resolveList(image);

    await vouch(image, ours.privateKey, signal);
    const once = await list();
    await vouch(image, ours.privateKey, signal);
    expect(await list()).toEqual(once);
    await vouch(image, theirs.privateKey, signal);

    expect((await list()).manifests).toHaveLength(2);
    expect(await isVouchedFor(image, ours.publicKey, signal)).toBe(true);
    expect(await isVouchedFor(image, theirs.publicKey, signal)).toBe(true);
  });

  test('the signature of one image is none of another, though it is put beside it', async () => {
    const [good, bad] = [await anImage('good'), await anImage('bad')];
    await vouch(good, ours.privateKey, signal);
    const type = 'application/vnd.headgate.signature.v1';
    const [stolen] = await attached(good, type, signal);

    await attach(bad, { artifactType: type, content: stolen! }, signal);

    expect(await isVouchedFor(bad, ours.publicKey, signal)).toBe(false);
    await expect(requireVouched([good, bad], ours.publicKey, signal)).rejects.toMatchObject({
      code: 'UNSIGNED',
      message: expect.stringMatching(new RegExp(`^(?!.*${good.digest}).*${bad.digest}`)),
    });
  });

  test('a byte that is flipped in the storage of the registry makes a signature none', async () => {
    const image = await anImage('flipped');
    await vouch(image, ours.privateKey, signal);
    const { manifests } = await resolveList(image);
    const hex = String(manifests[0]?.digest).slice('sha256:'.length);
    const manifest = join(folder, 'registry/storage/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    const whole = await readFile(manifest, 'utf8');
    await writeFile(manifest, whole.replace('"schemaVersion":2', '"schemaVersion": 2'));

    const seen = await isVouchedFor(image, ours.publicKey, signal).catch(() => false);

    expect(seen).toBe(false);
  });

  async function resolveList(image: Pinned): Promise<{ manifests: { digest: string }[] }> {
    const name = image.repository.slice(image.repository.indexOf('/') + 1);
    const url = `http://${host}/v2/${name}/manifests/${image.digest.replace(':', '-')}`;
    const answer = await fetch(url, { headers: { accept: 'application/vnd.oci.image.index.v1+json' } });
    return (await answer.json()) as { manifests: { digest: string }[] };
  }

  test('releaseImages() refuses with 12 what nobody signed, and says so where there is no key to ask with', async () => {
    const image = await anImage('unsigned');
    const said: string[] = [];
    // Refused before anything of the platform is asked.
    const hands = { say: (line: string) => said.push(line), signal } as unknown as Hands;
    const release = (verifyKey: string | undefined) =>
      releaseImages(
        hands,
        { proxy: `${image.repository}@${image.digest}` },
        {
          commit: undefined,
          template: { services: {} },
          ancestry: 'unknown',
          reason: 'r',
          insist: false,
          hotfix: false,
          deadLetterBacklog: false,
          verifyKey,
        },
      );

    await expect(release(pem)).rejects.toMatchObject({ code: 'UNSIGNED' });
    await expect(release(undefined)).rejects.not.toMatchObject({ code: 'UNSIGNED' });
    expect(said).toEqual(['signatures: not checked, as HEADGATE_VERIFY_KEY is not set']);
    await vouch(image, ours.privateKey, signal);
    await expect(release(pem)).rejects.not.toMatchObject({ code: 'UNSIGNED' });
  });

  test('sbomOf() says the same of an image each time, and names what the service runs on', async () => {
    const { digest } = await anImage('contents');
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
    await using shell = await openShell({ root: repository, env, signal, spool: { write: () => {}, log: () => {} } });

    const first = await sbomOf(shell.$, { source: 'services/rating', digest });

    expect(await sbomOf(shell.$, { source: 'services/rating', digest })).toEqual(first);
    const { bomFormat, components } = JSON.parse(first.toString()) as {
      bomFormat: string;
      components: { name: string }[];
    };
    expect(bomFormat).toBe('CycloneDX');
    expect(components.map(({ name }) => name)).toContain('nats');
    expect(components.map(({ name }) => name)).not.toContain('jest');
  });

  test('documents of other kinds are kept apart', async () => {
    const image = await anImage('kinds');
    await attach(image, { artifactType: 'application/vnd.cyclonedx+json', content: Buffer.from('{"a":1}') }, signal);
    await vouch(image, ours.privateKey, signal);

    expect((await attached(image, 'application/vnd.cyclonedx+json', signal)).map(String)).toEqual(['{"a":1}']);
    expect(await resolveTag(image.repository, 'latest', signal)).toBeUndefined();
    await nameImage(image, { repository: image.repository, tag: 'v1' }, signal);
    expect(await isVouchedFor(image, ours.publicKey, signal)).toBe(true);
  });
});
