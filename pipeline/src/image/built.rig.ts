import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuiltImage, openImageBuilder } from './image.ts';
import { writeLayer } from './layer.ts';

let number = 0;

/** Another one each time, over a base that is the same each time; all that it is made of lies in `folder`. */
export async function anImage(folder: string, signal: AbortSignal): Promise<BuiltImage> {
  const source = `services/${number++}`;
  await mkdir(join(folder, source, 'src'), { recursive: true });
  await writeFile(join(folder, source, 'src/main.ts'), `export const name = '${source}';`);
  const entry = { kind: 'file', path: 'etc/base', executable: false, content: Buffer.from('base') } as const;
  const below = await writeLayer([entry], { file: join(folder, `base-${number++}`), level: 1, signal });
  const builder = await openImageBuilder('memory', { base: async () => [below] });
  return builder.build({ workspace: folder, source, labels: {}, layout: join(folder, 'out', source) }, signal);
}
