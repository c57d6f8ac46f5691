/** buildah puts the image together: no daemon, and as an ordinary user wherever the machine grants user namespaces. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '@headgate/rollout';
import { hasCode } from '../run/failure.ts';
import { bundleProgram, bundleService } from './bundle.ts';
import type { BaseImage, BuilderOptions, ImageBuilder } from './image.ts';
import type { Layer, LayerEntry } from './layer.ts';
import { adoptLayout, type Program, user } from './layout.ts';

const run = promisify(execFile);
const outputMaxBytes = 16 * 1_048_576;

/** The same files as the builder in this process, in layers that buildah makes. */
export function openImageBuilder({ base }: BuilderOptions): ImageBuilder {
  return {
    async build(request, signal) {
      signal.throwIfAborted();
      const entries = await bundleService(request);
      // Beside the layout, always under the same name: what a killed build leaves there, the next one clears.
      const work = `${request.layout}.work`;
      await rm(work, { recursive: true, force: true });
      await mkdir(work, { recursive: true });
      try {
        await writeContext(work, { base, entries, program: { ...bundleProgram, labels: request.labels } }, signal);
        await buildLayout(work, signal);
        return await adoptLayout(join(work, 'layout'), request.layout);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
  };
}

type Contents = { readonly base: BaseImage; readonly entries: readonly LayerEntry[]; readonly program: Program };

async function writeContext(work: string, { base, entries, program }: Contents, signal: AbortSignal): Promise<void> {
  const layers = await base(signal);
  await Promise.all(layers.map(({ file }, index) => copyFile(file, join(work, layerName(index)))));
  for (const entry of entries) await writeEntry(join(work, 'own'), entry);
  await writeFile(join(work, 'Containerfile'), containerfile(layers, program));
}

/** Modes are part of an image and must not hang on the umask of whoever builds. */
async function writeEntry(root: string, entry: LayerEntry): Promise<void> {
  const path = join(root, entry.path);
  const folder = entry.kind === 'folder' ? path : dirname(path);
  await mkdir(folder, { recursive: true });
  for (let parent = folder; parent.length >= root.length; parent = dirname(parent)) await chmod(parent, 0o755);
  if (entry.kind === 'folder') return chmod(path, entry.scratch ? 0o1777 : 0o755);
  await writeFile(path, entry.content);
  await chmod(path, entry.executable ? 0o755 : 0o644);
}

/** Texts are written as JSON, whose quotes and backslashes mean the same there; `$` begins a variable. */
function containerfile(layers: readonly Layer[], { entrypoint, workingDir, env, labels }: Program): string {
  const text = (value: string) => JSON.stringify(value).replaceAll('$', '\\$');
  return [
    'FROM scratch',
    ...layers.map((_, index) => `ADD ${layerName(index)} /`), // An archive is unpacked there.
    'COPY own/ /',
    ...env.map((pair) => `ENV ${pair.slice(0, pair.indexOf('='))}=${text(pair.slice(pair.indexOf('=') + 1))}`),
    ...Object.keys(labels)
      .sort()
      .map((name) => `LABEL ${text(name)}=${text(labels[name] ?? '')}`),
    `WORKDIR ${workingDir}`,
    `USER ${user}`,
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
    '',
  ].join('\n');
}

function layerName(index: number): string {
  return `base-${index}.tar.gz`;
}

/** In a store of its own, so that a build leaves nothing on the machine and finds nothing there. */
async function buildLayout(work: string, signal: AbortSignal): Promise<void> {
  const at = (name: string) => join(work, name);
  const store = ['--root', at('store'), '--runroot', at('run'), '--storage-driver', 'vfs'];
  // Flags that change the digest are all written down; a real time would make every build another image.
  const fixed = ['--isolation', 'chroot', '--timestamp', '0', '--layers', '--format', 'oci', '--identity-label=false'];
  await buildah([...store, 'build', ...fixed, '--file', at('Containerfile'), '--iidfile', at('id'), work], signal);
  await buildah([...store, 'push', '--quiet', await idIn(at('id')), `oci:${at('layout')}:image`], signal);
}

async function idIn(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

async function buildah(args: readonly string[], signal: AbortSignal): Promise<void> {
  await run('buildah', [...args], { signal, maxBuffer: outputMaxBytes }).catch((cause: unknown) => {
    signal.throwIfAborted();
    if (hasCode(cause, 'ENOENT')) {
      throw new HeadgateError('TOOL_MISSING', 'Cannot build an image as buildah is not on the PATH', {
        hint: 'run `apt-get install -y buildah` as root, or unset HEADGATE_BUILDER',
        cause,
      });
    }
    const { stderr = '' } = cause as { stderr?: string };
    throw new HeadgateError('STEP_FAILED', `Cannot build an image as buildah refused: ${stderr.trim().slice(-500)}`, {
      hint: 'run `buildah info` as the same user',
      cause,
    });
  });
}
