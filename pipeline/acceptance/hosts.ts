import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Head, openRecords, parseSpec, readHead } from '@headgate/rollout';
import { makeVersion } from '../src/demo/versions.ts';
import { repository } from './commands.ts';
import { git, headgate, type Ran, type Where } from './from-sources.ts';

const release = 'release: { strategy: blue-green, bake: 1s, watch: 3s, keepWarm: 5m }\n';
/** A unit test, which `check` runs. */
const unitTest = "require('node:test')('adds', () => require('node:assert').equal(1 + 1, 2));\n";
/** A source of the rating service that is edited, a number at a time. */
export const handler = 'services/rating/src/handlers/handler.ts';

/** Two hosts, each with a clone and a cache of its own, that share what a cluster would hold: journal, lock, lanes and registry. */
export type Hosts = { readonly a: string; readonly b: string; readonly head: () => Promise<Head> };

/** Below the repository, so that packages are found. */
export async function openHosts(folder: string): Promise<Hosts> {
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  await makeVersion(repository, a, []);
  const example = await readFile(join(repository, 'headgate.yaml'), 'utf8');
  const app = `${example.slice(0, example.indexOf('release:'))}${release}`;
  const files = {
    'headgate.yaml': app,
    'package.json': '{ "type": "commonjs", "scripts": { "check": "node --test unit.test.js" } }\n',
    'package-lock.json': '{}\n',
    'unit.test.js': unitTest,
    '.gitignore': 'out/\n.headgate\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(a, name), text);
  await git(a, 'init', '--quiet', '--initial-branch=main');
  await commit(a, 'the first');
  await git(folder, 'clone', '--quiet', a, b);
  await mkdir(join(b, '.headgate'));
  for (const name of ['journal', 'supervisor.sock'])
    await symlink(join(a, '.headgate', name), join(b, '.headgate', name));
  const parsed = parseSpec(app, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { journal } = openRecords(parsed.spec, join(a, '.headgate'));
  return { a, b, head: () => readHead(journal, parsed.spec.app, AbortSignal.timeout(5_000)) };
}

export function deliver(cwd: string, where: Omit<Where, 'cwd'> = {}): Promise<Ran> {
  return headgate({ ...where, cwd }, 'run', 'deliver', '--json');
}

/** @returns its id */
export async function commit(folder: string, message: string): Promise<string> {
  await git(folder, 'add', '--all');
  await git(folder, 'commit', '--quiet', `--message=${message}`);
  return git(folder, 'rev-parse', 'HEAD');
}
