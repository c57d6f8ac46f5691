import { execFile } from 'node:child_process';
import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { canonicalJson, HeadgateError, withDeadline } from '@headgate/rollout';
import { type KeyParts, keyText } from '../plan/key.ts';
import type { PureStep } from '../step.ts';
import type { Environment } from './environment.ts';
import { sha256, type Workspace } from './workspace.ts';

export type KeyContext = {
  readonly workspace: Workspace;
  readonly env: Environment;
  /** `import.meta.url` of modules, as in the pipeline's definition. */
  readonly code: readonly string[];
  readonly signal: AbortSignal;
};

const versionMaxMs = 10_000;

/** Hash of `parts`: the name of the step's result. */
export function keyOf(parts: KeyParts): string {
  return sha256(keyText(parts));
}

/** Hash of what a step gave, by which the steps that need it know whether it changed. */
export function outputsHash(values: unknown, files: readonly unknown[]): string {
  return sha256(canonicalJson({ values, files }));
}

/**
 * Reads everything that the step's result depends on. `needs`: hash of the outputs of each need that has some.
 * @throws {HeadgateError} `USAGE` for a glob without a match or an unknown tool
 */
export async function readParts(
  step: PureStep,
  needs: Readonly<Record<string, string>>,
  context: KeyContext,
): Promise<KeyParts> {
  const { workspace, env, signal } = context;
  const { root } = workspace;
  const find = (globs: readonly string[]) => workspace.find(globs);
  const [found, asked] = await Promise.all([find(step.inputs.files), step.inputs.asked({ root, signal, find })]);
  const [files, tools, code] = await Promise.all([
    fingerprints([...new Set([...found, ...(asked.files ?? [])])], workspace),
    versions(step.inputs.tools, context),
    Promise.all(context.code.map(async (url) => (await workspace.fingerprint(fileURLToPath(url)))?.sha256 ?? 'gone')),
  ]);
  return {
    step: step.id,
    code: sha256(canonicalJson({ code, run: step.run.toString() })),
    files,
    env: Object.fromEntries(
      step.inputs.env.map((name) => [name, env[name] === undefined ? 'unset' : sha256(env[name])]),
    ),
    values: { ...step.inputs.values, ...asked.values },
    made: asked.made ?? {},
    tools,
    needs,
    platform: `${process.platform}-${process.arch}`,
  };
}

async function fingerprints(paths: readonly string[], workspace: Workspace): Promise<Readonly<Record<string, string>>> {
  const read = await Promise.all(
    paths.map(async (path) => {
      const found = await workspace.fingerprint(path);
      return [path, found === undefined ? 'gone' : `${found.executable ? 'x' : '-'}${found.sha256}`] as const;
    }),
  );
  return Object.fromEntries(read);
}

async function versions(tools: readonly string[], context: KeyContext): Promise<Readonly<Record<string, string>>> {
  const asked = tools.map(async (tool) => [tool, await versionOf(tool, context)] as const);
  return Object.fromEntries(await Promise.all(asked));
}

/** Asked once per installed file: starting some twenty programs would cost more than all else that a cached run does. */
async function versionOf(tool: string, { workspace, env, signal }: KeyContext): Promise<string> {
  if (tool === 'node') return process.version;
  const path = await findTool(tool, workspace, env);
  return workspace.about(path, async () => {
    const { stdout, stderr } = await promisify(execFile)(path, ['--version'], {
      signal: withDeadline(signal, versionMaxMs),
    });
    return (stdout || stderr).trim();
  });
}

async function findTool(tool: string, workspace: Workspace, env: Environment): Promise<string> {
  const folders = [workspace.path('node_modules/.bin'), ...(env['PATH'] ?? '').split(delimiter)];
  for (const folder of folders.filter((name) => name !== '')) {
    const path = join(folder, tool);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return realpath(path);
  }
  throw new HeadgateError(
    'USAGE',
    `Cannot ask a tool for its version as it must be on the PATH: current value is "${tool}"`,
    {
      hint: `install ${tool}`,
    },
  );
}
