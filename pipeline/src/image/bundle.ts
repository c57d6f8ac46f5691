/** The application layer: a service and all it imports as one file. */
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { type BuildFailure, type BuildOptions, build, formatMessages } from 'esbuild';
import type { LayerEntry } from './layer.ts';
import type { Program } from './layout.ts';

/** How the base image's Node starts the bundle. */
export const bundleProgram = {
  entrypoint: ['/usr/local/bin/node', '--enable-source-maps', '/app/main.mjs'],
  workingDir: '/app',
  env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
} as const satisfies Omit<Program, 'labels'>;

/** Everything that shapes the bytes is written down; what esbuild would take from the machine is fixed. */
const options = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  charset: 'utf8',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  // CJS packages inside an ES module call a `require` that does not exist there.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  logLevel: 'silent',
} as const satisfies BuildOptions;

type BundleRequest = { readonly workspace: string; readonly source: string; readonly program?: string };

/** Bundles the program of a service; `source` is relative to `workspace`. esbuild takes no signal, and well under a second. @throws {HeadgateError} `STEP_FAILED` */
export async function bundleService(request: BundleRequest): Promise<LayerEntry[]> {
  return (await bundle(request)).entries;
}

/**
 * What an image is a function of: the files that the bundle is made of, relative to `workspace`, those of packages included, and `sha256` of
 * the bundle itself. Settings of the compiler and of packages, which esbuild does not list, show in that one.
 * @throws {HeadgateError} `STEP_FAILED`
 */
export async function bundleFacts(request: BundleRequest): Promise<{ files: readonly string[]; sha256: string }> {
  const { entries, files } = await bundle(request);
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(JSON.stringify([entry.path, entry.content.length]));
    hash.update(entry.content);
  }
  return { files, sha256: hash.digest('hex') };
}

async function bundle({ workspace, source, program = 'src/main.ts' }: BundleRequest) {
  const main = `./${join(source, program)}`;
  try {
    const { outputFiles, metafile } = await build({
      ...options,
      entryPoints: [main],
      absWorkingDir: workspace,
      outfile: join(workspace, 'app', 'main.mjs'),
    });
    const entries = outputFiles.map(({ path, contents }) => ({
      kind: 'file' as const,
      path: relative(workspace, path),
      executable: false,
      content: contents,
    }));
    return { entries, files: Object.keys(metafile.inputs) };
  } catch (cause) {
    if (!isBuildFailure(cause)) throw cause;
    const messages = await formatMessages(cause.errors, { kind: 'error', color: false });
    throw new HeadgateError(
      'STEP_FAILED',
      `Cannot bundle "${main}" as it must compile:\n${messages.slice(0, 10).join('')}`,
      {
        hint: 'correct the lines named above, and run `tsc -b` to see all of them',
        cause,
      },
    );
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return typeof error === 'object' && error !== null && 'errors' in error && Array.isArray(error.errors);
}
