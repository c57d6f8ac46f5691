import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pushImage, putBlob, putDocument } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { anImage } from './built.rig.ts';
import { requireFit } from './fit.ts';
import { type Descriptor, digestOf, mediaTypes } from './layout.ts';

const signal = AbortSignal.timeout(60_000);
const here = { os: 'linux', architecture: 'amd64' };
const nobodyHas = `sha256:${'0'.repeat(64)}`;

let folder: string;
let registry: RunningServer;
let repository: string;
let image: Descriptor;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-fit-'));
  registry = await startRegistry();
  repository = `${new URL(registry.url).host}/shop/web`;
  const built = await anImage(folder, signal);
  await pushImage(built.layout, { repository, mountFrom: undefined }, signal);
  const answer = await fetch(`${registry.url}/v2/shop/web/manifests/${built.digest}`, {
    headers: { accept: mediaTypes.manifest },
  });
  const size = (await answer.arrayBuffer()).byteLength;
  image = { mediaType: mediaTypes.manifest, digest: built.digest, size };
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Puts a document beside the image. @returns its reference */
async function put(mediaType: string, document: object): Promise<string> {
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document }));
  const of = digestOf(body);
  await putDocument(parseRepository(repository), { name: of, mediaType, body }, signal);
  return `${repository}@${of}`;
}

function anIndex(...architectures: readonly string[]): Promise<string> {
  const manifests = architectures.map((architecture) => ({ ...image, platform: { os: 'linux', architecture } }));
  return put(mediaTypes.index, { manifests });
}

const said: string[] = [];
const askedFor = (machine: typeof here | undefined) => (reference: string) =>
  requireFit({ web: reference }, { machine, say: (line) => void said.push(line) }, signal);
const asked = askedFor(here);
const askedForNodes = askedFor(undefined);

test('requireFit() takes an image, and an index that has one for this machine, or for the nodes of some cluster', async () => {
  await asked(`${repository}@${image.digest}`);
  await asked(await anIndex('arm64', 'amd64'));
  await askedForNodes(await anIndex('arm64'));
});

test('requireFit() refuses (12) what the registry has not, by the name of image, registry and service', async () => {
  await expect(asked(`${repository}@${nobodyHas}`)).rejects.toMatchObject({
    code: 'REFUSED',
    message: `Cannot release ${repository}@${nobodyHas} as service "web" as the registry ${registry.url} must have it: current value is "404"`,
  });
});

test('requireFit() refuses (12) an index without this platform, which it names', async () => {
  const index = await anIndex('arm64', 's390x');

  await expect(asked(index)).rejects.toMatchObject({
    code: 'REFUSED',
    message: `Cannot release ${index} as service "web" as its index must have an image for linux/amd64: current value is "linux/arm64, linux/s390x"`,
  });
});

test('requireFit() refuses (12) what is no image, such as a signature or a chart', async () => {
  const content = Buffer.from('{}');
  const config = { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: digestOf(content), size: 2 };
  await putBlob(parseRepository(repository), { blob: config, content, mountFrom: undefined }, signal);
  const chart = await put(mediaTypes.manifest, { config, layers: [] });

  await expect(asked(chart)).rejects.toMatchObject({
    code: 'REFUSED',
    message: expect.stringContaining(`Cannot release ${chart} as service "web" as its config must be that of an image`),
  });
});

test('requireFit() ends with 69 where the registry lets nobody in, or is not there; for nodes, which may reach it, it only says so', async () => {
  const path = join(folder, 'htpasswd');
  await writeFile(path, '');
  const auth = { htpasswd: { realm: 'test', path } };
  await using closed = await startRegistry({ auth });
  const { host } = new URL(closed.url);

  await expect(asked(`${host}/shop/web@${nobodyHas}`)).rejects.toMatchObject({
    code: 'REGISTRY_REFUSED',
    message: expect.stringContaining(`${nobodyHas} of "${host}/shop/web"`),
    hint: expect.stringContaining(host),
  });
  await askedForNodes(`${host}/shop/web@${nobodyHas}`);
  await closed[Symbol.asyncDispose]();
  await expect(asked(`${host}/shop/web@${nobodyHas}`)).rejects.toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    message: expect.stringContaining(`"${host}/shop/web"`),
  });
  await askedForNodes(`${host}/shop/web@${nobodyHas}`);
  expect(said).toEqual(Array(2).fill(expect.stringMatching(/: whether nodes can run it, they will tell$/)));
});
