/** buildah puts the image together: no daemon, and as an ordinary user wherever the machine grants user namespaces. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromContainerfile, runTool, type Tool } from './containerfile.ts';
import type { BuilderOptions, ImageBuilder } from './image.ts';

const buildah: Tool = { name: 'buildah', debian: 'buildah', env: {} };

export function openImageBuilder({ base }: BuilderOptions): ImageBuilder {
  return fromContainerfile(base, buildLayout);
}

/** In a store of its own, so that a build leaves nothing on the machine and finds nothing there. */
async function buildLayout(work: string, signal: AbortSignal): Promise<void> {
  const at = (name: string) => join(work, name);
  const store = ['--root', at('store'), '--runroot', at('run'), '--storage-driver', 'vfs'];
  // Flags that change the digest are all written down; a real time would make every build another image.
  const fixed = ['--isolation', 'chroot', '--timestamp', '0', '--layers', '--format', 'oci', '--identity-label=false'];
  await runTool(buildah, [...store, 'build', ...fixed, '--iidfile', at('id'), at('context')], signal);
  const id = (await readFile(at('id'), 'utf8')).trim();
  await runTool(buildah, [...store, 'push', '--quiet', id, `oci:${at('layout')}:image`], signal);
}
