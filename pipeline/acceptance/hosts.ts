import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSupervisor, type Head, openRecords, readHead, type Spec, stopSupervisor } from '@headgate/rollout';
import { makeVersion } from '../src/demo/versions.ts';
import { git } from '../src/host/git.rig.ts';
import { userRequest } from '../src/perf/ledger.ts';
import { type Load, startLoad } from '../src/perf/open-loop.ts';
import { clearing } from './clearing.ts';
import { repository } from './commands.ts';
import { headgate, type Ran, type Where } from './from-sources.ts';
import { readSpec } from './stage.ts';

/** What the hosts' releases are by default: short ones. */
const release = 'release: { strategy: blue-green, bake: 1s, watch: 3s, keepWarm: 5m }\n';
/** A unit test, which `check` runs. */
const unitTest = "require('node:test')('adds', () => require('node:assert').equal(1 + 1, 2));\n";
/** A source of the rating service that is edited, a number at a time. */
export const handler = 'services/rating/src/handlers/handler.ts';

/** Two hosts, each with a clone and a cache of its own, that share journal, lock, lanes and registry. */
export interface Hosts extends AsyncDisposable {
  readonly a: string;
  readonly b: string;
  readonly head: () => Promise<Head>;
  /** Of the environment `staging`, where it was asked for. */
  readonly stagingHead?: () => Promise<Head>;
  /** Users' requests to what is live, after the first release. */
  load(perSecond: number): Promise<Load>;
  /** What runs in the lanes, in a text that any touch changes. */
  objects(): Promise<string>;
  /** On a cluster: what was done to the app between two moments (ms since the epoch), by the API server's audit log. */
  effects?(from: number, to: number): Promise<readonly string[]>;
  /** On a cluster: how often a Deployment of the app got other pods, by the API server's own count. */
  rolled?(): Promise<number>;
}

/**
 * `state`: what they keep is below a folder of that name, which parts of one run have each for themselves. `staging`: what the releases of
 * an environment of that name are, which there is none of by default.
 */
export type OpenHosts = (state: string, staging?: string) => Promise<Hosts>;

/** Both share the local platform of the first. */
export const openHosts: OpenHosts = async (state, staging) => {
  const example = await readFile(join(repository, 'headgate.yaml'), 'utf8');
  const environments = staging === undefined ? '' : `environments: { staging: { release: ${staging} } }\n`;
  const clones = await twoClones(state, example.slice(0, example.indexOf('release:')), environments);
  const { folder, a, b, spec } = clones;
  await mkdir(join(b, '.headgate'));
  for (const name of ['journal', 'supervisor.sock'])
    await symlink(join(a, '.headgate', name), join(b, '.headgate', name));
  const headIn = (folder: string) => headOf(spec, join(a, folder));
  return {
    a,
    b,
    head: headIn('.headgate'),
    ...(staging !== undefined && { stagingHead: headIn('.headgate/staging') }),
    objects: () => readFile(join(a, '.headgate/pids'), 'utf8'), // Of every process that was started so far.
    async load(perSecond) {
      const running = await findSupervisor(join(a, '.headgate'), AbortSignal.timeout(5_000));
      if (running === undefined) throw new Error('The local platform does not run before the first release');
      return startLoad({ origin: running.urls.http, headers: {}, perSecond, make: userRequest });
    },
    [Symbol.asyncDispose]: clearing(async () => {
      for (const name of ['.headgate', '.headgate/staging'])
        await stopSupervisor(join(a, name), AbortSignal.timeout(60_000));
      await rm(folder, { recursive: true, force: true });
    }),
  };
};

/** `state`: where the local platform keeps it; on a cluster the journal is there. */
export function headOf(spec: Spec, state: string): () => Promise<Head> {
  const { journal } = openRecords(spec, state);
  return () => readHead(journal, spec.app, AbortSignal.timeout(5_000));
}

/** `app`: headgate.yaml as far as its release; `environments`: what comes after. */
export async function twoClones(state: string, app: string, environments: string) {
  const folder = join(repository, '.headgate', `${state}${process.pid}`); // Below the repository, so that packages are found.
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  await makeVersion(repository, a, []);
  const files = {
    'headgate.yaml': `${app}${release}${environments}`,
    'package.json': '{ "type": "commonjs", "scripts": { "check": "node --test unit.test.js" } }\n',
    'package-lock.json': '{}\n',
    'unit.test.js': unitTest,
    '.gitignore': 'out/\n.headgate\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(a, name), text);
  await git(a, 'init', '--quiet', '--initial-branch=main');
  await commit(a, 'the first');
  await git(folder, 'clone', '--quiet', a, b);
  return { folder, a, b, spec: await readSpec(join(a, 'headgate.yaml')) };
}

/** What is live and on record, and what runs. */
export async function stateOf({ head, objects }: Hosts): Promise<string> {
  return JSON.stringify([await head(), await objects()]);
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
