import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildRequest, BuiltImage } from './image.ts';
import { type Layer, type LayerEntry, writeLayer } from './layer.ts';
import { type PlatformLayers, type Program, writeLayout } from './layout.ts';

/** Lays one thin layer of the service's own files over the layers below and writes the whole as a layout. */
export async function assemble(
  request: BuildRequest,
  image: {
    below: readonly Layer[];
    others?: readonly PlatformLayers[];
    entries: readonly LayerEntry[];
    program: Omit<Program, 'labels'>;
  },
  signal: AbortSignal,
): Promise<BuiltImage> {
  // Beside the layout, always under the same name: what a killed build leaves there, the next one clears.
  const work = `${request.layout}.work`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    const own = await writeLayer(image.entries, { file: join(work, 'own.tar.gz'), level: 9, signal });
    signal.throwIfAborted();
    const program = { ...image.program, labels: request.labels };
    const others = (image.others ?? []).map((one) => ({ ...one, layers: [...one.layers, own] }));
    return await writeLayout(request.layout, [...image.below, own], program, others);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
