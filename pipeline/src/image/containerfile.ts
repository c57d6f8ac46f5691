/** For builders that are tools of their own: the files of the builder in this process, in layers that the tool makes of a Containerfile. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '@headgate/rollout';
import { hasCode } from '../run/failure.ts';
import { bundleProgram, bundleService } from './bundle.ts';
import type { BaseImage, ImageBuilder } from './image.ts';
import { writeLayer } from './layer.ts';
import { adoptLayout, type Program, user } from './layout.ts';

const run = promisify(execFile);
const outputMaxBytes = 16 * 1_048_576;

/** `buildLayout` finds `context/Containerfile` in the folder that it is given, and leaves the image as `layout` there. */
export function fromContainerfile(
  base: BaseImage,
  buildLayout: (work: string, signal: AbortSignal) => Promise<unknown>,
): ImageBuilder {
  return {
    async build(request, signal) {
      signal.throwIfAborted();
      const entries = await bundleService(request);
      // Beside the layout, always under the same name: what a killed build leaves there, the next one clears.
      const work = `${request.layout}.work`;
      const context = join(work, 'context');
      await rm(work, { recursive: true, force: true });
      await mkdir(context, { recursive: true });
      try {
        const below = await base(signal);
        await Promise.all(below.map(({ file }, index) => copyFile(file, join(context, layerName(index)))));
        // As an archive: files of their own would bring the modes and times of whoever builds.
        await writeLayer(entries, { file: join(context, layerName(below.length)), level: 1, signal });
        const text = containerfile(below.length + 1, { ...bundleProgram, labels: request.labels });
        await writeFile(join(context, 'Containerfile'), text);
        await buildLayout(work, signal);
        return await adoptLayout(join(work, 'layout'), request.layout);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
  };
}

/** Few lines, as each is a step of its own. Texts are written as JSON, whose quotes and backslashes mean the same there; `$` begins a variable. */
function containerfile(layers: number, { entrypoint, workingDir, env, labels }: Program): string {
  const text = (value: string) => JSON.stringify(value).replaceAll('$', '\\$');
  const settings = env.map((pair) => `${pair.slice(0, pair.indexOf('='))}=${text(pair.slice(pair.indexOf('=') + 1))}`);
  const titles = Object.entries(labels).map(([name, value]) => `${text(name)}=${text(value)}`);
  return [
    'FROM scratch',
    ...Array.from({ length: layers }, (_, index) => `ADD ${layerName(index)} /`), // An archive is unpacked there.
    ...(settings.length > 0 ? [`ENV ${settings.join(' ')}`] : []),
    ...(titles.length > 0 ? [`LABEL ${titles.sort().join(' ')}`] : []),
    `WORKDIR ${workingDir}`,
    `USER ${user}`,
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
    '',
  ].join('\n');
}

function layerName(index: number): string {
  return `layer-${index}.tar.gz`;
}

export type Tool = {
  readonly name: string;
  /** Package that brings it. */
  readonly debian: string;
  /** Settings that it takes from the environment. */
  readonly env: Readonly<Record<string, string>>;
};

/** @throws {HeadgateError} `TOOL_MISSING`, `STEP_FAILED` */
export async function runTool(
  { name, debian, env }: Tool,
  args: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, maxBuffer: outputMaxBytes, env: { ...process.env, ...env } };
  await run(name, [...args], options).catch((cause: unknown) => {
    signal.throwIfAborted();
    if (hasCode(cause, 'ENOENT')) {
      throw new HeadgateError('TOOL_MISSING', `Cannot build an image as ${name} is not on the PATH`, {
        hint: `run \`apt-get install -y ${debian}\` as root, or unset HEADGATE_BUILDER`,
        cause,
      });
    }
    const { stderr = '' } = cause as { stderr?: string };
    throw new HeadgateError('STEP_FAILED', `Cannot build an image as ${name} refused: ${stderr.trim().slice(-500)}`, {
      hint: `run \`${name} info\` as the same user`,
      cause,
    });
  });
}
