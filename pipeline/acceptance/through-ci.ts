import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { load } from 'js-yaml';
import { anEar, type Heard } from '../../rollout/src/notify/ear.rig.ts';
import { playHarness, whyWithoutHarness } from '../ci/harness.rig.ts';
import { edit } from '../src/demo/versions.ts';
import { targets } from '../src/deploy/delivery.ts';
import { git } from '../src/host/git.rig.ts';
import { repository } from './commands.ts';
import { commit, type Hosts, handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { type OpenStage, readSpec } from './stage.ts';

const staging = 'environments: { staging: { release: { watch: 1s, keepWarm: 5s } } }\n';
const outputMaxBytes = 64 * 1_048_576;
const token = 'token-of-jenkins';

/** A commit becomes a release through the lines of the workflow, as GitHub's runner starts them, and through the Jenkinsfile, as Groovy runs it. */
export async function throughCi(report: Report, _scope: Scope, _open: OpenStage, openHosts: OpenHosts): Promise<void> {
  const lacking = await whyWithoutHarness();
  if (lacking !== undefined) throw new Error(lacking);
  await using hosts = await openHosts('c');
  const { a, head } = hosts;
  const first = await aWorkspace(a, staging);
  await using api = await anEar(201); // GitHub's.
  await git(a, 'remote', 'add', 'origin', 'git@127.0.0.1:kim/ratings.git');
  const { result, told } = await playJenkinsfile(a, api.url);
  const { live, lanes } = await head();
  report.check('the Jenkinsfile ends with SUCCESS', result === 'SUCCESS', told);
  report.check('and its commit is live', live !== undefined && lanes[live]?.commit === first);
  const [marked, wanted] = [marksOf(first, api.heard), targets.filter((target) => target !== 'deliver')];
  report.check(
    'the commit hears how each target ended',
    wanted.every((target) => marked.includes(`headgate/${target} success`)) &&
      marked.every((one) => / success$/.test(one)),
    marked.join(),
  );

  await edit(a, { file: 'headgate.yaml', find: staging, replace: '' });
  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: 'const LIMIT_DEFAULT = 101;' });
  const second = await commit(a, 'by the workflow');
  const job = await playJob(a, 'run deliver');
  const after = await head();
  const has = (name: string, value: string) => new RegExp(`^${name}<<(\\S+)\\n${value}\\n\\1$`, 'm').test(job.outputs);
  report.check("the workflow's own line exits 0", job.code === 0, job.code === 0 ? '' : job.all.slice(-2_000));
  report.check('and its commit is live', after.live !== undefined && after.lanes[after.live]?.commit === second);
  report.check('outputs are in the file of the runner', has('outcome', 'done') && has('exit-code', '0'), job.outputs);
  report.check('and so is the summary', /^## deliver-ratings: done in /m.test(job.summary));

  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 101;', replace: 'const LIMIT_DEFAULT = 102;' });
  await handedOver(report, hosts, await commit(a, 'handed over'));
}

/** By two jobs, as the workflow has them: one hands over, the other waits. Without a controller the first one does both. */
async function handedOver(report: Report, { a, head }: Hosts, third: string): Promise<void> {
  const { kubernetes } = await readSpec(join(a, 'headgate.yaml'));
  const isThere = async () => {
    const { live, lanes, release } = await head();
    return live !== undefined && lanes[live]?.commit === third && release?.state.phase.kind === 'promoted';
  };
  const job = await playJob(a, 'run production --skip-check --hand-over');
  const release = /^release<<(\S+)\n(\d+)\n\1$/m.exec(job.outputs)?.[2];
  report.check('the job that hands over exits 0', job.code === 0, job.code === 0 ? '' : job.all.slice(-2_000));
  if (kubernetes?.driver !== 'controller') {
    report.check(
      'without a controller it hands over nothing, and ends with the release',
      release === undefined && (await isThere()),
    );
    return;
  }
  report.check(
    'it names its release, and ends before that does',
    release !== undefined && !(await isThere()),
    job.outputs,
  );
  const outcome = await playJob(a, `wait --for ended --release ${release}`);
  report.check('the job that waits exits 0', outcome.code === 0, outcome.code === 0 ? '' : outcome.all.slice(-2_000));
  report.check('when the release has ended, and its commit is live', await isThere());
}

/** Of a checkout of this repository, with the services of that app. `more`: at the end of headgate.yaml. @returns its commit */
export async function aWorkspace(root: string, more: string): Promise<string> {
  await symlink(join(repository, 'pipeline'), join(root, 'pipeline'));
  await writeFile(join(root, 'setup.js'), '');
  const yaml = join(root, 'headgate.yaml');
  await writeFile(yaml, `${await readFile(yaml, 'utf8')}${more}`);
  await writeFile(join(root, '.gitignore'), 'out/\n.headgate\npipeline\n');
  return commit(root, 'by the Jenkinsfile');
}

/** What was written at a commit, by a token. */
function marksOf(id: string, heard: readonly Heard[]): readonly string[] {
  return heard
    .filter(
      ({ path, headers }) =>
        path === `/repos/kim/ratings/statuses/${id}` && headers.authorization === `Bearer ${token}`,
    )
    .map(({ body }) => JSON.parse(body) as { context: string; state: string })
    .map(({ context, state }) => `${context} ${state}`);
}

/** By the harness of the Jenkinsfile's own test, with the real Headgate. Variables name no credential but GitHub's, so nothing is signed. */
async function playJenkinsfile(workspace: string, api: string): Promise<{ result: unknown; told: string }> {
  const variables = {
    HARNESS_CREDENTIALS: JSON.stringify({ github: token }),
    HEADGATE_GITHUB_TOKEN_CREDENTIAL: 'github',
    GITHUB_API_URL: api,
    JENKINS_URL: 'http://jenkins.example/',
    JOB_NAME: 'ratings',
    BUILD_NUMBER: '1',
  };
  const happened = await playHarness(join(repository, 'pipeline/Jenkinsfile'), workspace, variables);
  const bad = happened.filter((one) => one.kind === 'stopped' || (one.kind === 'sh' && one['code'] !== 0));
  return { result: happened.at(-1)?.['result'], told: bad.map((one) => JSON.stringify(one).slice(-1_500)).join('\n') };
}

type Workflow = { readonly jobs: { readonly run: { readonly steps: readonly { id?: string; run?: string }[] } } };

/** The step of `_run.yml` that calls Headgate, with the files and variables that the runner gives it. */
export async function playJob(root: string, args: string, variables: Readonly<Record<string, string>> = {}) {
  const { jobs } = load(await readFile(join(repository, '.github/workflows/_run.yml'), 'utf8')) as Workflow;
  const script = jobs.run.steps.find(({ id }) => id === 'headgate')?.run ?? 'exit 1';
  const place = join(root, '.headgate', 'job');
  await mkdir(place, { recursive: true });
  const [outputs, summary] = [join(place, 'output'), join(place, 'summary')];
  for (const file of [outputs, summary]) await writeFile(file, '');
  const env = {
    ...process.env,
    ...variables,
    ARGS: args,
    GITHUB_ACTIONS: 'true',
    GITHUB_RUN_ID: '12',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_OUTPUT: outputs,
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_WORKSPACE: root,
  };
  const running = promisify(execFile)('bash', ['-e', '-c', script], { cwd: root, env, maxBuffer: outputMaxBytes });
  const { code, all } = await running.then(
    ({ stdout }) => ({ code: 0, all: stdout }),
    (error: { code?: number; stdout?: string }) => ({ code: error.code ?? 128, all: error.stdout ?? String(error) }),
  );
  return { code, all, outputs: await readFile(outputs, 'utf8'), summary: await readFile(summary, 'utf8') };
}
