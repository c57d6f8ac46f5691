import { mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findServer } from '@headgate/rollout/servers';
import { load } from 'js-yaml';
import { edit } from '../src/demo/versions.ts';
import { git } from '../src/host/git.rig.ts';
import { repository } from './commands.ts';
import { headgate } from './from-sources.ts';
import { handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';
import { aWorkspace, playJob } from './through-ci.ts';

type Job = {
  readonly needs?: string;
  readonly if?: string;
  readonly with: { readonly args: string };
  readonly secrets: Readonly<Record<string, string>>;
};

type Recorded = { readonly steps: readonly { readonly id: string; readonly end: { readonly acted?: boolean } }[] };

/**
 * A merge by the jobs of `deliver.yml`, each on a machine of its own: a fresh clone and a fresh home, with the secrets that the workflow
 * gives it and no others. What they share is the registry.
 */
export async function jobs(report: Report, _scope: Scope, _open: OpenStage, openHosts: OpenHosts): Promise<void> {
  await using hosts = await openHosts('j');
  const { a, head } = hosts;
  // Not the first of all: of an image's contents only the base is too large to be shared, and lies beside what was published before.
  const before = await headgate({ cwd: a }, 'run', 'publish');
  report.check('the version before is published', before.code === 0, before.code === 0 ? '' : before.all.slice(-2_000));
  // A version that nobody has tested, which does what the other ones do.
  await edit(a, {
    file: handler,
    find: 'const LIMIT_DEFAULT = 100;',
    replace: `const LIMIT_DEFAULT = 100 + 0 * Number('${Date.now()}');`,
  });
  const commit = await aWorkspace(a, '');
  const kubeconfig = process.env['HEADGATE_KUBECONFIG'] ?? '';
  const { path: HEADGATE_NATS_SERVER } = await findServer('nats-server'); // Each machine would fetch it once more.
  const acted: string[] = [];
  let release = '';
  for (const [name, job] of await jobsInOrder()) {
    if (name === 'outcome' && release === '') continue; // As its `if` says.
    const root = await aMachine(a, name);
    const args = job.with.args.replace(/\$\{\{ .*?\.release \}\}/, release);
    const { code, all, outputs } = await playJob(root, args, {
      ...machineOf(job, `${root}-home`, kubeconfig),
      HEADGATE_NATS_SERVER,
    });
    const did = await actedIn(root);
    acted.push(...did);
    const told = code === 0 ? did.join(', ') || 'nothing to do' : all.slice(-2_000);
    report.check(`job ${name}, \`headgate ${args}\`, ends with 0`, code === 0, told);
    if (code !== 0) return;
    release ||= /^release<<(\S+)\n(\d+)\n\1$/m.exec(outputs)?.[2] ?? '';
  }
  const { live, lanes, history } = await head();
  report.check('its commit is live', live !== undefined && lanes[live]?.commit === commit);
  report.check('by one release', history.length === 1, `${history.length}`);
  const twice = acted.filter((id, at) => acted.indexOf(id) !== at);
  report.check(
    'among them the test of its image, and its publication',
    ['imagetest:rating', 'publish'].every((id) => acted.includes(id)),
  );
  report.check('no step was done by two of the jobs', twice.length === 0, twice.join(', '));
}

/** What it knows of the world outside. */
function machineOf({ secrets }: Job, home: string, kubeconfig: string): Readonly<Record<string, string>> {
  return {
    HOME: home,
    HEADGATE_POD_NETWORK: '',
    HEADGATE_KUBECONFIG: 'KUBECONFIG' in secrets ? kubeconfig : '',
    HEADGATE_CACHE_KEY: 'CACHE_KEY' in secrets ? 'what all machines of this delivery share' : '',
  };
}

/** Those of a delivery by several jobs. */
export async function jobsInOrder(): Promise<readonly (readonly [string, Job])[]> {
  const text = await readFile(join(repository, '.github/workflows/deliver.yml'), 'utf8');
  const { jobs: all } = load(text) as { jobs: Readonly<Record<string, Job>> };
  const chain: [string, Job][] = [];
  for (let name: string | undefined = 'check'; name !== undefined; ) {
    const job = all[name];
    if (job === undefined) throw new Error(`deliver.yml has no job ${name}`);
    chain.push([name, job]);
    name = Object.keys(all).find((next) => all[next]?.needs === chain.at(-1)?.[0]);
  }
  return chain;
}

/** Beside the others below the repository, so that packages are found. */
async function aMachine(from: string, name: string): Promise<string> {
  const root = join(dirname(from), `job-${name}`);
  await git(dirname(from), 'clone', '--quiet', from, root);
  await symlink(join(repository, 'pipeline'), join(root, 'pipeline'));
  await mkdir(`${root}-home`);
  return root;
}

/** What the last run there did. */
export async function actedIn(root: string): Promise<readonly string[]> {
  const text = await readFile(join(root, 'out/run.json'), 'utf8').catch(() => '{ "steps": [] }'); // `wait` runs none.
  const { steps } = JSON.parse(text) as Recorded;
  return steps.filter(({ end }) => end.acted === true).map(({ id }) => id);
}
