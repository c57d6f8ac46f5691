import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

type Entry = Partial<Header> & { name: string; text?: string | Buffer };

/** Pushes an image made by hand, a layer for each list of entries, and gives its reference. */
export async function pushByHand(
  registryUrl: string,
  name: string,
  { layers, config }: { layers: readonly (readonly Entry[])[]; config: Record<string, unknown> },
): Promise<string> {
  const put = async (bytes: Buffer) => {
    const started = await fetch(`${registryUrl}/v2/${name}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(started.headers.get('location')!, registryUrl);
    place.searchParams.set('digest', digestOf(bytes));
    await fetch(place, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const blobs = [];
  const contents: string[] = [];
  for (const entries of layers) {
    const archive = await archiveOf(entries);
    contents.push(digestOf(archive));
    // Compressing a whole Node would take longer than the test.
    const layer =
      archive.length > 1 << 20
        ? { mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await put(archive)) }
        : { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...(await put(gzipSync(archive))) };
    blobs.push(layer);
  }
  const rootfs = { type: 'layers', diff_ids: contents };
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const configBlob = await put(Buffer.from(JSON.stringify({ os: 'linux', architecture, config, rootfs })));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...configBlob },
      layers: blobs,
    }),
  );
  const digest = digestOf(manifest);
  const answer = await fetch(`${registryUrl}/v2/${name}/manifests/${digest}`, {
    method: 'PUT',
    body: manifest,
    headers: { 'content-type': mediaType },
  });
  if (!answer.ok) throw new Error(`the registry answers ${answer.status}: ${await answer.text()}`);
  return `${new URL(registryUrl).host}/${name}@${digest}`;
}

/** Without times, or equal layers that are pushed in two seconds would be two layers. */
function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { text = '', ...header } of entries) archive.entry({ mtime: new Date(0), ...header }, text);
  archive.finalize();
  return buffer(archive);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
