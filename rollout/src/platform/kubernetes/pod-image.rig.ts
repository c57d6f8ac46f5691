/** Images for pods of the test cluster: this machine's Node, and a program given on its command line; and a NATS server. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Digest, digest } from '../../revision.ts';
import { findNatsServer } from '../local/servers/index.ts';
import { serviceProgram } from '../local/supervisor/fake-service.rig.ts';
import { testCluster } from './cluster.rig.ts';

/** `host:port/name` of every image made here. */
export function podRepository(): string {
  return `${testCluster().registry}/test/fake-service`;
}

/** Where a fake service finds NATS's client, should it be told of it by `NATS_MODULE`. */
export const natsModule = '/node_modules/nats';

/** Pushes the fake service with this behaviour; how it behaves is part of its digest. */
export async function pushFakeService(behaviour: string): Promise<Digest> {
  const entrypoint = ['/usr/local/bin/node', '-e', serviceProgram];
  return pushImage([await nodeRoot(), await natsClient()], { Env: [`BEHAVIOUR=${behaviour}`], Entrypoint: entrypoint });
}

/** Keeps what it is told to under `/data`. */
export async function pushNatsServer(): Promise<Digest> {
  const program = await findNatsServer();
  const layer = await archive(dirname(program), [basename(program)]);
  return pushImage([layer], { Entrypoint: [`/${basename(program)}`, '-js', '-sd', '/data'] });
}

async function pushImage(archives: readonly Buffer[], config: object): Promise<Digest> {
  const layers = await Promise.all(archives.map(pushBlob));
  const image = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { User: '1000:1000', ...config },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      ...(await pushBlob(Buffer.from(JSON.stringify(image)))),
    },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
  };
  return pushManifest(Buffer.from(JSON.stringify(manifest)));
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const place = (): string => `http://${testCluster().registry}/v2/test/fake-service`;

let root: Promise<Buffer> | undefined;

/** The base layer that the cluster's own build has made, always with the same bytes. */
function nodeRoot(): Promise<Buffer> {
  const cache = process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube');
  root ??= archive(join(cache, 'noderoot'), ['.']);
  return root;
}

let client: Promise<Buffer> | undefined;

function natsClient(): Promise<Buffer> {
  const [home = ''] = createRequire(import.meta.url)
    .resolve('nats')
    .split('/node_modules/');
  const names = ['nats', 'nkeys.js', 'tweetnacl'].map((name) => `node_modules/${name}`);
  // With the folder itself, or it would not be everybody's.
  client ??= archive(home, ['--no-recursion', 'node_modules', '--recursion', ...names]);
  return client;
}

async function archive(folder: string, names: readonly string[]): Promise<Buffer> {
  const flags = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=a+rX'];
  const all = ['-C', folder, ...flags, '-cf', '-', ...names];
  const { stdout } = await promisify(execFile)('tar', all, { encoding: 'buffer', maxBuffer: 300_000_000 });
  return stdout;
}

async function pushBlob(bytes: Buffer): Promise<{ readonly digest: string; readonly size: number }> {
  const named = digestOf(bytes);
  if (!(await fetch(`${place()}/blobs/${named}`, { method: 'HEAD' })).ok) {
    const begun = await fetch(`${place()}/blobs/uploads/`, { method: 'POST' });
    const upload = new URL(begun.headers.get('location')!, place());
    upload.searchParams.set('digest', named);
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await fetch(upload, { method: 'PUT', body: bytes, headers });
    if (!answer.ok) throw new Error(`the registry answers ${answer.status}: ${await answer.text()}`);
  }
  return { digest: named, size: bytes.length };
}

async function pushManifest(bytes: Buffer): Promise<Digest> {
  const named = digestOf(bytes);
  const headers = { 'content-type': manifestType };
  const answer = await fetch(`${place()}/manifests/${named}`, { method: 'PUT', body: bytes, headers });
  if (!answer.ok) throw new Error(`the registry answers ${answer.status}: ${await answer.text()}`);
  return digest(named);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
