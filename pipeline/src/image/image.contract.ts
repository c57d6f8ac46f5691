import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { BaseImage, BuildRequest, ImageBuilder } from './image.ts';
import { type LayerEntry, writeLayer } from './layer.ts';
import { readBlob, readLayout } from './layout.ts';

/** What every builder must do, whatever it builds with. */
export function describeImageBuilder(name: string, open: (base: BaseImage) => Promise<ImageBuilder>): void {
  describe(`${name} as an ImageBuilder`, () => {
    let folder: string;
    let builder: ImageBuilder;
    let signal: AbortSignal;
    beforeEach(async () => {
      signal = AbortSignal.timeout(30_000);
      folder = await mkdtemp(join(tmpdir(), 'headgate-image-'));
      builder = await open(tinyBase(folder));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    test('build() gives equal digests for equal sources in two folders at two times under two umasks', async () => {
      const here = await aRequest(join(folder, 'here'));
      const umask = process.umask(0o077);
      const there = await aRequest(join(folder, 'far/away/there'));
      process.umask(umask);
      await utimes(join(there.workspace, 'services/hello/src/main.ts'), 1, 1);

      const first = await builder.build(here, signal);
      const second = await builder.build(there, signal);

      expect(second.digest).toBe(first.digest);
      expect(second.layers).toEqual(first.layers);
    });

    test('build() gives another digest for another source or another label', async () => {
      const request = await aRequest(folder);
      const { digest } = await builder.build(request, signal);
      const labelled = await builder.build({ ...request, labels: { title: 'hello' } }, signal);
      await writeFile(join(folder, 'services/hello/src/word.ts'), "export const word = 'bye';\n");
      await writeFile(join(folder, 'services/hello/src/main.ts'), `${main}// And more.\nsetTimeout(() => {}, 1);\n`);
      const changed = await builder.build(request, signal);

      expect(new Set([digest, labelled.digest, changed.digest]).size).toBe(3);
    });

    test('build() leaves a layout of exactly the blobs that the manifest names, each under its own sha256', async () => {
      const request = await aRequest(folder);

      const built = await builder.build(request, signal);

      const { manifest, contents } = await readLayout(request.layout);
      const named = [manifest, contents.config, ...contents.layers];
      for (const blob of named) expect(await readBlob(request.layout, blob)).toHaveLength(blob.size);
      const blobs = join(request.layout, 'blobs/sha256');
      expect((await readdir(blobs)).map((hex) => `sha256:${hex}`).sort()).toEqual(
        named.map((blob) => blob.digest).sort(),
      );
      const sizes = await Promise.all((await readdir(blobs)).map(async (hex) => (await stat(join(blobs, hex))).size));
      expect(built.sizeBytes).toBe(sizes.reduce((a, b) => a + b));
      expect(manifest.digest).toBe(built.digest);
      expect(JSON.parse(await readFile(join(request.layout, 'oci-layout'), 'utf8'))).toEqual({
        imageLayoutVersion: '1.0.0',
      });
    });

    test('build() makes an image of an ordinary user, without a time of its own', async () => {
      const request = { ...(await aRequest(folder)), labels: { b: '2', a: '1' } };

      await builder.build(request, signal);

      const { contents } = await readLayout(request.layout);
      const config = JSON.parse((await readBlob(request.layout, contents.config)).toString('utf8'));
      expect(config).toMatchObject({
        created: '1970-01-01T00:00:00Z',
        os: 'linux',
        config: { User: '1000', Labels: { a: '1', b: '2' } },
      });
      expect(config.config.Entrypoint.length).toBeGreaterThan(0);
      expect(config.rootfs.diff_ids).toHaveLength(contents.layers.length);
    });

    test('build() replaces the layout of an earlier build, and keeps it when the new build fails', async () => {
      const request = await aRequest(folder);
      const { digest } = await builder.build(request, signal);
      await rm(join(folder, 'services/hello/src/main.ts'));

      await expect(builder.build(request, signal)).rejects.toMatchObject({ code: 'STEP_FAILED' });

      expect((await readLayout(request.layout)).manifest.digest).toBe(digest);
    });

    test('build() begins nothing once it is aborted', async () => {
      const request = await aRequest(folder);

      await expect(builder.build(request, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });

      await expect(stat(request.layout)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });
}

const main = "import { word } from './word.ts';\n\n/* @license kept out */\nexport const said: string = word;\n";

async function aRequest(workspace: string): Promise<BuildRequest> {
  const files = { 'main.ts': main, 'word.ts': "export const word: string = 'hello';\n" };
  for (const [name, text] of Object.entries(files)) {
    const file = join(workspace, 'services/hello/src', name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return { workspace, source: 'services/hello', labels: {}, layout: join(workspace, 'out/hello') };
}

/** A base of one small file, so that a contract run costs milliseconds. */
function tinyBase(folder: string): BaseImage {
  const entries: LayerEntry[] = [{ kind: 'file', path: 'etc/passwd', executable: false, content: Buffer.from('node') }];
  return async (signal) => [await writeLayer(entries, { file: join(folder, 'base.tar.gz'), level: 1, signal })];
}
