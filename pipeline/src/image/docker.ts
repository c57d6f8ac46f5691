/** A Docker daemon puts the image together, with BuildKit or without it. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromContainerfile, runTool, type Tool } from './containerfile.ts';
import type { BuilderOptions, ImageBuilder } from './image.ts';
import { writeLayout } from './layout.ts';
import { readSaved } from './saved.ts';

const run = promisify(execFile);

/** An attestation tells the time of its build. */
const docker: Tool = { name: 'docker', debian: 'docker.io', env: { BUILDX_NO_DEFAULT_ATTESTATIONS: '1' } };
const removeMaxMs = 30_000;

export function openImageBuilder({ base }: BuilderOptions): ImageBuilder {
  return fromContainerfile(base, buildLayout);
}

/** The daemon is the one that the docker command finds, e.g. by `DOCKER_HOST`; no image of a build stays with it. */
async function buildLayout(work: string, signal: AbortSignal): Promise<void> {
  const at = (name: string) => join(work, name);
  // Without the cache, as two builds at once would be one image there, and the first to end would remove it.
  const options = ['--no-cache', '--file', at('context/Containerfile'), '--iidfile', at('id')];
  await runTool(docker, ['build', ...options, at('context')], signal);
  const id = (await readFile(at('id'), 'utf8')).trim();
  try {
    await runTool(docker, ['save', '--output', at('saved.tar'), id], signal);
  } finally {
    await runTool(docker, ['image', 'rm', '--force', id], AbortSignal.timeout(removeMaxMs));
  }
  await mkdir(at('saved'));
  await run('tar', ['-xf', at('saved.tar'), '-C', at('saved')], { signal });
  const { layers, program } = await readSaved(at('saved'), signal);
  await writeLayout(at('layout'), layers, program);
}
