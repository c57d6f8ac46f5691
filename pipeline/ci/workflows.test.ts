import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';

const repository = join(import.meta.dirname, '../..');
const folder = join(repository, '.github/workflows');
const files = readdirSync(folder);

type Values = Record<string, unknown>;
type Step = { id?: string; uses?: string; run?: string; with?: Values; env?: Values };
type Job = {
  'timeout-minutes'?: unknown;
  permissions?: unknown;
  uses?: string;
  with?: Values;
  secrets?: unknown;
  steps?: Step[];
};
type Workflow = {
  name?: string;
  on: Values;
  permissions?: unknown;
  concurrency?: unknown;
  jobs: Record<string, Job>;
};

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  const workflow = load(text) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test('pins every action by commit, with its version beside it', () => {
    const uses = [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, used = '']) => used);

    for (const used of uses)
      expect(used).toMatch(/^(\.\/\.github\/workflows\/_run\.yml|actions\/[\w-]+@[0-9a-f]{40} # v[\d.]+)$/);
  });

  test('gives no right on top', () => {
    // What is called has the rights of the job that calls it, and would lose them by an empty list of its own.
    if (file === '_run.yml')
      expect([workflow, ...jobs].map(({ permissions }) => permissions)).toEqual([undefined, undefined]);
    else expect(workflow.permissions).toEqual({});
  });

  test('has a name, and lets no two of its runs meet', () => {
    expect(workflow.name).toEqual(expect.any(String));
    if (file !== '_run.yml')
      expect(workflow.concurrency).toEqual(expect.objectContaining({ group: expect.any(String) }));
  });

  test('installs nothing by name, and takes nothing from a cache that another run could have filled', () => {
    for (const { run = '', uses = '', with: given = {} } of steps) {
      expect(run).not.toMatch(/\b(npm|npx|pip3?|gem|cargo|go)\b.*\b(i|install|add|exec)\b/);
      expect(uses).not.toMatch(/^actions\/cache/);
      if (uses.startsWith('actions/setup-node')) expect(given).toMatchObject({ 'package-manager-cache': false });
      if (uses.startsWith('actions/setup-node')) expect(given).not.toHaveProperty('cache');
    }
  });

  test('puts nothing of an event into a script, keeps no credentials, inherits no secrets', () => {
    for (const { run } of steps) expect(run ?? '').not.toContain('${{');
    for (const { uses, with: given } of steps)
      if (uses?.startsWith('actions/checkout')) expect(given?.['persist-credentials']).toBe(false);
    for (const { secrets } of jobs) expect(secrets).not.toBe('inherit');
    expect(Object.keys(workflow.on)).not.toContain('pull_request_target');
    expect(Object.keys(workflow.on)).not.toContain('workflow_run');
  });

  test('bounds the time of every job that has steps', () => {
    for (const { steps: own, 'timeout-minutes': minutes } of jobs) if (own) expect(minutes).toBeDefined();
  });

  test('replaces the shell by Headgate, so that a cancellation reaches it', () => {
    for (const { run = '' } of steps)
      if (run.includes('bin.js')) expect(run).toMatch(/(^|\n)exec node [^\n]*bin\.js[^\n]*\s*$/);
  });
});

test('every job has the rights that it uses, and no other', () => {
  const read = { contents: 'read' };
  const tells = { ...read, statuses: 'write' };
  const publishes = { ...read, packages: 'write' };
  const delivers = { ...tells, ...publishes };
  const jobs = files
    .filter((file) => file !== '_run.yml')
    .flatMap((file) => {
      const workflow = load(readFileSync(join(folder, file), 'utf8')) as Workflow;
      return Object.entries(workflow.jobs).map(([job, { permissions }]) => [`${file} ${job}`, permissions]);
    });

  expect(Object.fromEntries(jobs)).toEqual({
    'approve.yml approve': publishes, // The yes lies beside the images.
    'approve.yml go-on': { actions: 'write' },
    'check.yml check': read,
    'deliver.yml deliver': delivers,
    'deliver.yml check': tells,
    'deliver.yml images': delivers, // The cache is in the registry.
    'deliver.yml publish': delivers,
    'deliver.yml staging': delivers,
    'deliver.yml perf': delivers,
    'deliver.yml production': delivers,
    'deliver.yml outcome': tells,
    'nightly-perf.yml perf': delivers,
    'promote.yml promote': tells,
    'rollback.yml rollback': tells,
    'status.yml status': read,
  });
});

test('whatever makes or measures images shares the cache of results', () => {
  const { jobs } = load(readFileSync(join(folder, 'deliver.yml'), 'utf8')) as Workflow;
  const sharing = Object.keys(jobs).filter((job) => Object.hasOwn(Object(jobs[job]?.secrets), 'CACHE_KEY'));

  expect(sharing).toEqual(['deliver', 'images', 'publish', 'staging', 'perf', 'production']);
});

test('whatever may drive a release, or ends a run, tells the webhook', () => {
  const telling = files.flatMap((file) =>
    Object.entries((load(readFileSync(join(folder, file), 'utf8')) as Workflow).jobs)
      .filter(([, { secrets }]) => Object(secrets)['WEBHOOK'] === expression('secrets.HEADGATE_WEBHOOK'))
      .map(([job]) => `${file} ${job}`),
  );

  expect(telling.sort()).toEqual([
    ...['check', 'deliver', 'images', 'outcome', 'perf', 'production', 'publish', 'staging'].map(
      (job) => `deliver.yml ${job}`,
    ),
    ...['nightly-perf.yml perf', 'promote.yml promote', 'rollback.yml rollback'],
  ]);
});

test('what changes a lane has the environment of it, and what only looks asks nobody who approves', () => {
  const { jobs } = load(readFileSync(join(folder, 'deliver.yml'), 'utf8')) as Workflow;
  const environments = Object.entries(jobs).map(([job, { with: given }]) => [job, given?.['environment']]);

  expect(Object.fromEntries(environments)).toEqual({
    ...{ deliver: 'production', staging: 'staging', production: 'production' },
    ...{ check: undefined, images: undefined, publish: undefined, perf: undefined, outcome: undefined },
  });
});

test('whoever goes back or looks waits for no reviewer of a delivery, and whoever goes on does', () => {
  const of = ['rollback', 'status', 'promote', 'approve'].map((name) => {
    const { jobs } = load(readFileSync(join(folder, `${name}.yml`), 'utf8')) as Workflow;
    return [name, evaluated(jobs[name]?.with, { environment: 'production' })['environment']];
  });

  expect(Object.fromEntries(of)).toEqual({
    ...{ rollback: 'production-now', status: 'production-now' },
    ...{ promote: 'production', approve: 'production' },
  });
});

test('the job that hands a release over holds its group no longer, and another one waits for that very release', () => {
  const { jobs } = load(readFileSync(join(folder, 'deliver.yml'), 'utf8')) as Workflow;
  const release = expression('needs.production.outputs.release');

  expect(jobs['production']).toMatchObject({
    concurrency: { group: 'deploy-production', 'cancel-in-progress': false },
    with: { args: 'run production --skip-check --hand-over' },
  });
  expect(jobs['outcome']).toMatchObject({
    needs: 'production',
    if: expression("always() && needs.production.outputs.release != ''"),
    with: { args: `wait --for ended --release ${release} --timeout 11400`, 'after-cancel': true },
  });
  expect(jobs['outcome']).not.toHaveProperty('concurrency');
  const called = load(readFileSync(join(folder, '_run.yml'), 'utf8')) as {
    on: { workflow_call: { outputs: Values } };
    jobs: { run: { if: string; outputs: Values } };
  };
  expect(called.jobs.run.if).toBe(expression('inputs.after-cancel || !cancelled()'));
  expect(called.on.workflow_call.outputs['release']).toMatchObject({ value: expression('jobs.run.outputs.release') });
  expect(called.jobs.run.outputs['release']).toBe(expression('steps.headgate.outputs.release'));
});

test('after a yes the run that was named goes on with what failed', () => {
  const { jobs } = load(readFileSync(join(folder, 'approve.yml'), 'utf8')) as Workflow;
  const step = jobs['go-on']?.steps?.[0];
  const root = mkdtempSync(join(tmpdir(), 'headgate-workflow-'));
  try {
    writeFileSync(join(root, 'gh'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const { RUN = '' } = evaluated(step?.env, { run: '12; touch owned' });
    const env = { PATH: `${root}:${process.env['PATH']}`, RUN, GITHUB_REPOSITORY: 'kim/ratings' };
    const said = execFileSync('bash', ['--norc', '-e', '-c', step?.run ?? ''], { cwd: root, env, encoding: 'utf8' });

    expect(said.trim().split('\n')).toEqual(['run', 'rerun', '12; touch owned', '--failed', '--repo', 'kim/ratings']);
    expect(jobs['go-on']).toMatchObject({ needs: 'approve', if: expression("inputs.run != ''") });
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('the performance of a night is that of main beside live, and releases nothing', () => {
  const { jobs } = load(readFileSync(join(folder, 'nightly-perf.yml'), 'utf8')) as Workflow;

  expect(jobs['perf']?.with?.['args']).toBe('perf');
});

test('the action puts nothing of an event into a script, asks for no action of others, and may tell the commit', () => {
  const { runs } = load(readFileSync(join(repository, 'action.yml'), 'utf8')) as { runs: { steps: Step[] } };

  for (const { run, uses } of runs.steps) {
    expect(run).not.toContain('${{');
    expect(uses).toBeUndefined();
  }
  expect(runs.steps.at(-1)?.env).toMatchObject({ GITHUB_TOKEN: expression('github.token') });
});

test('the action has the outputs of the workflow, so that a job of another repository can wait for what it handed over', () => {
  const { outputs } = load(readFileSync(join(repository, 'action.yml'), 'utf8')) as { outputs: Record<string, Values> };
  const { on } = load(readFileSync(join(folder, '_run.yml'), 'utf8')) as { on: { workflow_call: { outputs: Values } } };
  const called = Object.keys(on.workflow_call.outputs);

  expect(Object.keys(outputs)).toEqual(expect.arrayContaining(called));
  for (const [name, { value }] of Object.entries(outputs))
    expect(value).toBe(expression(`steps.headgate.outputs.${name}`));
});

test('only _run.yml, the check of pull requests and what goes on after a yes have steps', () => {
  const withSteps = files.filter((file) =>
    Object.values((load(readFileSync(join(folder, file), 'utf8')) as Workflow).jobs).some(({ steps }) => steps),
  );

  expect(withSteps.sort()).toEqual(['_run.yml', 'approve.yml', 'check.yml']);
});

test('a pull request gets no secret and no right to write', () => {
  const text = readFileSync(join(folder, 'check.yml'), 'utf8');

  expect(text).not.toMatch(/secrets\.|: write|github\.token/);
});

describe('whoever starts a workflow by hand', () => {
  const release = { release: '7', reason: 'ticket 12' };
  const revision = 'b'.repeat(64);
  test.each([
    { name: 'promote', ...release, words: ['promote', '--release', '7'] },
    { name: 'rollback', ...release, words: ['rollback', '--release', '7'] },
    { name: 'status', words: ['status', '--report'] },
    { name: 'approve', revision, reason: 'ticket 12', words: ['approve', revision] },
  ])('has $name act on the environment that was chosen', ({ name, words, ...given }) => {
    const reason = 'reason' in given ? ['--reason', 'ticket 12'] : [];

    expect(wordsOf(name, { ...given, environment: 'staging' })).toEqual([
      ...words,
      '--environment',
      'staging',
      ...reason,
    ]);
    // What `run production` delivers.
    expect(wordsOf(name, { ...given, environment: 'production' })).toEqual([...words, ...reason]);
  });

  test('gets what was typed handed over as one word', () => {
    const hostile = '$(touch owned) "; touch owned; `touch owned` *';

    const words = wordsOf('promote', { release: '7', reason: hostile, environment: hostile });

    expect(words).toEqual(['promote', '--release', '7', '--environment', hostile, '--reason', hostile]);
  });
});

/** What Headgate is called with when a workflow is dispatched with these inputs: its line is run by the shell that a runner takes. */
function wordsOf(name: string, dispatched: Values): readonly string[] {
  const { jobs } = load(readFileSync(join(folder, `${name}.yml`), 'utf8')) as Workflow;
  const step = stepOfRun('headgate');
  const env = evaluated(step?.env, evaluated(jobs[name]?.with, dispatched));
  const root = mkdtempSync(join(tmpdir(), 'headgate-workflow-'));
  try {
    mkdirSync(join(root, 'pipeline/dist/cli'), { recursive: true });
    writeFileSync(join(root, 'pipeline/dist/cli/bin.js'), 'console.log(JSON.stringify(process.argv.slice(2)))');
    const { PATH = '' } = process.env;
    const options = { cwd: root, env: { PATH, ...env }, encoding: 'utf8' } as const;
    return JSON.parse(execFileSync('bash', ['--norc', '-e', '-c', step?.run ?? 'exit 1'], options)) as string[];
  } finally {
    rmSync(root, { recursive: true });
  }
}

function stepOfRun(name: string): Step {
  const { jobs } = load(readFileSync(join(folder, '_run.yml'), 'utf8')) as Workflow;
  const found = jobs['run']?.steps?.find(({ id }) => id === name);
  if (found === undefined) throw new Error(`_run.yml has no step "${name}"`);
  return found;
}

describe('the kubeconfig', () => {
  test('goes to the jobs that ask the cluster, and to no other', () => {
    const given = files.flatMap((file) =>
      Object.entries((load(readFileSync(join(folder, file), 'utf8')) as Workflow).jobs)
        .filter(([, { secrets }]) => Object.hasOwn(Object(secrets), 'KUBECONFIG'))
        .map(([job]) => `${file} ${job}`),
    );

    expect(given.sort()).toEqual([
      ...['deliver', 'images', 'outcome', 'perf', 'production', 'publish', 'staging'].map(
        (job) => `deliver.yml ${job}`,
      ),
      ...['nightly-perf.yml perf', 'promote.yml promote', 'rollback.yml rollback', 'status.yml status'],
    ]);
    expect(stepOfRun('headgate').env?.['KUBECONFIG']).toBe(expression('steps.cluster.outputs.file'));
  });

  test.each([
    { content: 'kind: Config\nusers: []', kept: true },
    { content: '', kept: false },
  ])('is a file for this user alone, outside of the checkout, where the secret is set: $kept', ({ content, kept }) => {
    const place = mkdtempSync(join(tmpdir(), 'headgate-workflow-'));
    const [checkout, temp, output] = ['checkout', 'temp', 'output'].map((name) => join(place, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(checkout);
    mkdirSync(temp);
    writeFileSync(output, '');
    const { run = '', env } = stepOfRun('cluster');
    try {
      execFileSync('bash', ['--norc', '-e', '-c', run], {
        cwd: checkout,
        env: { PATH: process.env['PATH'], CONTENT: content, RUNNER_TEMP: temp, GITHUB_OUTPUT: output },
      });

      expect(env).toEqual({ CONTENT: expression('secrets.KUBECONFIG') });
      expect(readdirSync(checkout)).toEqual([]);
      expect(readFileSync(output, 'utf8')).toBe(kept ? `file=${temp}/kubeconfig\n` : '');
      expect(readdirSync(temp)).toEqual(kept ? ['kubeconfig'] : []);
      if (!kept) return;
      expect(readFileSync(join(temp, 'kubeconfig'), 'utf8')).toBe(`${content}\n`);
      expect(statSync(join(temp, 'kubeconfig')).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

/** Expressions of GitHub over `inputs`; whatever else they name is empty. What they use means the same in JavaScript. */
function evaluated(values: Values = {}, inputs: Values): Record<string, string> {
  const resolve = (expression: string) =>
    String(
      runInNewContext(
        expression.replaceAll(/\b(inputs|secrets|vars|github|steps)\.([\w.-]+)/g, (_, context: string, name: string) =>
          JSON.stringify(context === 'inputs' ? (inputs[name] ?? '') : ''),
        ),
      ),
    );
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      String(value).replaceAll(/\$\{\{ (.*?) \}\}/g, (_, expression: string) => resolve(expression)),
    ]),
  );
}

function expression(text: string): string {
  return `\${{ ${text} }}`;
}
