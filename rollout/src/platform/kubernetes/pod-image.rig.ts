/** Images for pods of the test cluster: this machine's Node, and a program given on its command line. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Digest, digest } from '../../revision.ts';
import { serviceProgram } from '../local/supervisor/fake-service.rig.ts';
import { testCluster } from './cluster.rig.ts';

/** `host:port/name` of every image made here. */
export function podRepository(): string {
  return `${testCluster().registry}/test/fake-service`;
}

/** Pushes the fake service with this behaviour; how it behaves is part of its digest. */
export async function pushFakeService(behaviour: string): Promise<Digest> {
  const layer = await pushBlob(await nodeRoot());
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      User: '1000:1000',
      Env: [`BEHAVIOUR=${behaviour}`],
      Entrypoint: ['/usr/local/bin/node', '-e', serviceProgram],
    },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      ...(await pushBlob(Buffer.from(JSON.stringify(config)))),
    },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  };
  return pushManifest(Buffer.from(JSON.stringify(manifest)));
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const place = (): string => `http://${testCluster().registry}/v2/test/fake-service`;

let root: Promise<Buffer> | undefined;

/** The base layer that the cluster's own build has made, always with the same bytes. */
function nodeRoot(): Promise<Buffer> {
  const cache = process.env['HEADGATE_KUBE_CACHE'] ?? join(homedir(), '.cache/headgate-kube');
  const folder = join(cache, 'noderoot');
  const flags = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=a+rX'];
  root ??= promisify(execFile)('tar', ['-C', folder, ...flags, '-cf', '-', '.'], {
    encoding: 'buffer',
    maxBuffer: 300_000_000,
  }).then(({ stdout }) => stdout);
  return root;
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
