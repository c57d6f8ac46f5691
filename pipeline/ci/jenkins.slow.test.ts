import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openRecords, parseSpec, templateOf } from '@headgate/rollout';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { targetOf, targets } from '../src/deploy/delivery.ts';
import { revise } from '../src/deploy/revise.ts';
import { git } from '../src/host/git.rig.ts';
import { playHarness, whyWithoutHarness } from './harness.rig.ts';
import { unless } from './provide.rig.ts';

const repository = join(import.meta.dirname, '../..');
const jenkinsfile = join(import.meta.dirname, '../Jenkinsfile');
const withGroovy = unless(await whyWithoutHarness(), describe);

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

withGroovy('the Jenkinsfile, run by Groovy 2.4 with a real shell', () => {
  let root: string;
  let remote: string;
  let workspace: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-jenkins-'));
    [remote, workspace] = [join(root, 'remote'), join(root, 'workspace')];
    await git(root, 'init', '--quiet', '--initial-branch=main', remote);
    await git(remote, 'commit', '--quiet', '--allow-empty', '--message=first');
    await git(root, 'clone', '--quiet', remote, workspace);
    await mkdir(join(workspace, 'pipeline/dist/cli'), { recursive: true });
    await mkdir(join(workspace, 'node_modules/.bin'), { recursive: true });
    await writeFile(join(workspace, 'setup.js'), '');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  /** A program in the place of Headgate that writes down how it was called, leaves a report, and ends as it is told to. */
  async function headgate(exits: Readonly<Record<string, number>>, outcome = 'done'): Promise<void> {
    const program = `#!/usr/bin/env node
const { execFileSync } = require('node:child_process');
const { appendFileSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
const { HEADGATE_APPROVER: approver, KUBECONFIG: file, HEADGATE_CACHE_KEY, HEADGATE_GITHUB_TOKEN, HEADGATE_REGISTRY_TOKEN, HEADGATE_REGISTRY_USER, HEADGATE_SIGNING_KEY, HEADGATE_WEBHOOK } = process.env;
const KUBECONFIG = file && readFileSync(file, 'utf8');
const secrets = { HEADGATE_CACHE_KEY, HEADGATE_GITHUB_TOKEN, HEADGATE_REGISTRY_TOKEN, HEADGATE_REGISTRY_USER, HEADGATE_SIGNING_KEY, HEADGATE_WEBHOOK, KUBECONFIG };
const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
appendFileSync('calls.jsonl', JSON.stringify({ args, secrets, approver, commit }) + '\\n');
mkdirSync('out/junit', { recursive: true });
writeFileSync(\`out/junit/pipeline-\${args[1]}.xml\`, '<testsuites/>');
writeFileSync('out/outputs.json', JSON.stringify({ outcome: ${JSON.stringify(outcome)} }, undefined, 2));
process.exit(${JSON.stringify(exits)}[args[1]] ?? 0);
`;
    await writeFile(join(workspace, 'package.json'), '{}');
    await writeFile(join(workspace, 'pipeline/dist/cli/bin.js'), program);
    await writeFile(join(workspace, 'node_modules/.bin/headgate'), program, { mode: 0o755 });
  }

  async function play(file = jenkinsfile, env: NodeJS.ProcessEnv = {}) {
    const happened = await playHarness(file, workspace, { KUBECONFIG: undefined, HARNESS_REMOTE: remote, ...env });
    const calls = await readFile(join(workspace, 'calls.jsonl'), 'utf8').catch(() => '');
    return {
      happened,
      result: happened.at(-1)?.['result'],
      of: (kind: string) => happened.filter((one) => one.kind === kind),
      calls: calls
        .split('\n')
        .filter((line) => line !== '')
        .map(
          (line) => JSON.parse(line) as { args: readonly string[]; secrets: object; approver?: string; commit: string },
        ),
    };
  }

  test('goes through every target in order, as deliver does, and asks before production, which hears who answered', async () => {
    await headgate({});

    const { result, calls, happened, of } = await play();

    expect(result).toBe('SUCCESS');
    expect(calls.map(({ args }) => args)).toEqual(
      targets
        .filter((target) => target !== 'deliver')
        .map((target) => ['run', target, ...(target === 'production' ? ['--approve'] : [])]),
    );
    expect(calls.map(({ approver }) => approver)).toEqual([...calls.slice(1).map(() => undefined), 'kim']);
    const kinds = happened.map((one) => (one.kind === 'sh' ? String(one['script']).split(' ').at(-1) : one.kind));
    expect(kinds.indexOf('input')).toBeGreaterThan(kinds.indexOf('perf'));
    expect(kinds.indexOf('input')).toBeLessThan(kinds.indexOf('milestone'));
    expect(kinds.indexOf('milestone')).toBeLessThan(kinds.lastIndexOf('checkout'));
    expect(of('stage').find(({ stage }) => stage === 'Approve')).toMatchObject({ agent: false });
  });

  test('superseded in staging it goes no further, asks nobody, and is a success', async () => {
    await headgate({}, 'superseded');

    const { result, calls, of } = await play();

    expect([result, of('input')]).toEqual(['SUCCESS', []]);
    expect(calls.map(({ args }) => args[1])).toEqual(['check', 'images', 'publish', 'staging']);
  });

  test('delivers the commit that it asked about, whatever is merged while somebody thinks it over', async () => {
    await headgate({});
    const first = await git(remote, 'rev-parse', 'main');
    const later = `git -C '${remote}' -c user.name=lee -c user.email=lee@example.com commit --quiet --allow-empty --message=later`;

    const { result, calls, of } = await play(jenkinsfile, { HARNESS_MEANWHILE: later });

    expect(result).toBe('SUCCESS');
    expect(await git(remote, 'rev-parse', 'main')).not.toBe(first);
    expect(calls.map(({ commit }) => commit)).toEqual(calls.map(() => first));
    expect(of('input')).toEqual([expect.objectContaining({ message: `Release ${first} to production?` })]);
    // What polling takes for built is never more than what was.
    expect(of('checkout')).toEqual([
      { kind: 'checkout', commit: first, poll: true },
      { kind: 'checkout', commit: first, poll: false },
    ]);
  });

  test('restarted after its question it delivers nothing: nobody has been asked about a commit', async () => {
    await headgate({});

    const { result, calls, of } = await play(jenkinsfile, { HARNESS_FROM: 'Production' });

    expect([result, calls, of('checkout')]).toEqual(['FAILURE', [], []]);
    expect(of('stopped')[0]).toMatchObject({ stage: 'Production', why: expect.stringContaining('has asked nobody') });
  });

  describe('a lost agent', () => {
    test.each([
      { lost: 'run images', again: ['check'] },
      { lost: 'run production', again: [] },
    ])('at $lost has its stage played again by another one, and asks nobody twice', async ({ lost, again }) => {
      await headgate({});

      const { result, calls, of } = await play(jenkinsfile, { HARNESS_LOSES: JSON.stringify({ [lost]: 1 }) });

      expect(result).toBe('SUCCESS');
      expect(calls.map(({ args }) => args[1])).toEqual([...again, ...targets.filter((target) => target !== 'deliver')]);
      expect(of('input')).toHaveLength(1);
      expect(calls.at(-1)).toMatchObject({ approver: 'kim', commit: await git(remote, 'rev-parse', 'main') });
    });

    test('that is lost again ends the build', async () => {
      await headgate({});

      const { result, calls } = await play(jenkinsfile, { HARNESS_LOSES: JSON.stringify({ 'run images': 2 }) });

      expect(result).toBe('FAILURE');
      expect(calls.map(({ args }) => args[1])).toEqual(['check', 'check']);
    });
  });

  describe('credentials', () => {
    const held = {
      HARNESS_CREDENTIALS: JSON.stringify({
        signing: 'PRIVATE KEY',
        cache: 'cache key',
        hook: 'https://hooks.example/1',
        github: 'token of a bot',
        cluster: { content: 'kind: Config' },
        registry: { user: 'kim', password: 'of kim' },
      }),
    };
    const named = {
      HEADGATE_SIGNING_KEY_CREDENTIAL: 'signing',
      HEADGATE_CACHE_KEY_CREDENTIAL: 'cache',
      HEADGATE_WEBHOOK_CREDENTIAL: 'hook',
      HEADGATE_GITHUB_TOKEN_CREDENTIAL: 'github',
      HEADGATE_KUBECONFIG_CREDENTIAL: 'cluster',
      HEADGATE_REGISTRY_CREDENTIAL: 'registry',
    };

    test('that variables name go to the stages that need them, and to no other', async () => {
      await headgate({});

      const { result, calls } = await play(jenkinsfile, { ...held, ...named });

      const ears = { HEADGATE_GITHUB_TOKEN: 'token of a bot', HEADGATE_WEBHOOK: 'https://hooks.example/1' };
      const shared = {
        ...ears,
        HEADGATE_CACHE_KEY: 'cache key',
        HEADGATE_REGISTRY_TOKEN: 'of kim',
        HEADGATE_REGISTRY_USER: 'kim',
        KUBECONFIG: 'kind: Config',
      };
      const signs = { ...shared, HEADGATE_SIGNING_KEY: 'PRIVATE KEY' };
      expect(result).toBe('SUCCESS');
      expect(Object.fromEntries(calls.map(({ args, secrets }) => [args[1], secrets]))).toEqual({
        check: ears,
        images: shared,
        publish: signs,
        staging: shared,
        perf: shared,
        production: signs, // The yes of a person is signed.
      });
    });

    test('are optional: where no variable names one, none is bound', async () => {
      await headgate({});

      const { result, calls } = await play(jenkinsfile, held);

      expect(result).toBe('SUCCESS');
      expect(calls.map(({ secrets }) => secrets)).toEqual(calls.map(() => ({})));
    });

    test('that are named and not there fail the stage, as on Jenkins', async () => {
      await headgate({});

      const { result, calls, of } = await play(jenkinsfile, { HEADGATE_SIGNING_KEY_CREDENTIAL: 'signing' });

      expect([result, calls.at(-1)?.args[1]]).toEqual(['FAILURE', 'images']);
      expect(of('stopped')).toEqual([
        expect.objectContaining({ stage: 'Publish', why: "Could not find credentials entry with ID 'signing'" }),
      ]);
    });
  });

  test.each([
    { exits: { check: 1 }, result: 'FAILURE', last: 'check' },
    { exits: { images: 1 }, result: 'FAILURE', last: 'images' },
    { exits: { publish: 69 }, result: 'FAILURE', last: 'publish' },
    { exits: { staging: 11 }, result: 'FAILURE', last: 'staging' },
    { exits: { perf: 1 }, result: 'FAILURE', last: 'perf' },
    { exits: { perf: 10 }, result: 'UNSTABLE', last: 'perf' },
    { exits: { production: 11 }, result: 'FAILURE', last: 'production' },
    { exits: { production: 13 }, result: 'FAILURE', last: 'production' },
    { exits: { production: 14 }, result: 'FAILURE', last: 'production' },
  ])('after $exits it is $result, nothing follows, and the reports are kept', async ({ exits, result, last }) => {
    await headgate(exits);

    const played = await play();

    expect(played.result).toBe(result);
    expect(played.calls.at(-1)?.args.slice(0, 2)).toEqual(['run', last]);
    expect(played.calls.filter(({ args }) => args[1] === last)).toHaveLength(1); // Its agent was not lost.
    expect(played.happened.at(-2)).toMatchObject(
      last === 'production' ? { kind: 'archive' } : { kind: 'skipped', stage: 'Production' },
    );
    const before = played.calls.filter(({ args }) => args[1] !== 'production').length;
    const reports = last === 'production' ? [before, before + 1] : [before]; // No stage hides what one before it has told.
    expect(played.of('junit').map(({ files }) => files)).toEqual(reports);
    expect(played.of('archive').length).toBeGreaterThan(0);
  });

  test('when whoever is asked says no, nothing goes to production', async () => {
    await headgate({});

    const { result, calls } = await play(jenkinsfile, { HARNESS_INPUT: 'denied' });

    expect(result).toBe('ABORTED');
    expect(calls.at(-1)?.args).toEqual(['run', 'perf']);
  });

  test.each([
    { what: 'a pull request', env: { BRANCH_NAME: 'PR-7', CHANGE_ID: '7' } },
    { what: 'a pull request whose job is named as main is', env: { BRANCH_NAME: 'main', CHANGE_ID: '7' } },
    { what: 'a branch', env: { BRANCH_NAME: 'feature/x' } },
    { what: 'a branch main where another one is delivered', env: { BRANCH_NAME: 'main', HEADGATE_BRANCH: 'trunk' } },
  ])('of $what images are built and tested, by no secret, and nothing is published or asked', async ({ env }) => {
    await headgate({});
    const held = { hook: 'https://hooks.example/1', cache: 'cache key', github: 'token of a bot' };
    const credentials = JSON.stringify(held);
    const named = {
      HEADGATE_WEBHOOK_CREDENTIAL: 'hook',
      HEADGATE_CACHE_KEY_CREDENTIAL: 'cache',
      HEADGATE_GITHUB_TOKEN_CREDENTIAL: 'github',
    };

    const { result, calls, of } = await play(jenkinsfile, {
      ...{ HARNESS_CREDENTIALS: credentials, ...named, ...env },
    });

    expect(result).toBe('SUCCESS');
    expect(calls.map(({ args, secrets }) => [args[1], secrets])).toEqual([
      ['check', {}],
      ['images', {}],
    ]);
    expect([of('input'), of('junit')]).toEqual([[], [expect.objectContaining({ files: 2 })]]);
  });

  test.each([
    { what: 'main', env: { BRANCH_NAME: 'main' } },
    { what: 'the branch that is named', env: { BRANCH_NAME: 'trunk', HEADGATE_BRANCH: 'trunk' } },
  ])('in a multibranch job $what is delivered, with what it needs', async ({ env }) => {
    await headgate({});
    const held = {
      HARNESS_CREDENTIALS: JSON.stringify({ cache: 'cache key' }),
      HEADGATE_CACHE_KEY_CREDENTIAL: 'cache',
    };

    const { result, calls } = await play(jenkinsfile, { ...held, ...env });

    expect([result, calls.at(-1)?.args[1]]).toEqual(['SUCCESS', 'production']);
    expect(calls.at(-1)?.secrets).toEqual({ HEADGATE_CACHE_KEY: 'cache key' });
  });

  test('the step of the library calls one command, and what somebody typed stays one word', async () => {
    await headgate({ deliver: 10 });
    const file = join(workspace, 'Jenkinsfile');
    const reason = '$(touch owned) "; touch owned; `touch owned` *';
    await writeFile(
      file,
      `pipeline {
        agent none
        stages {
          stage('Deliver') {
            agent { label 'x' }
            steps { headgate(reason: '''${reason}''', 'run deliver') }
          }
        }
      }`,
    );

    const { result, calls } = await play(file);

    expect(result).toBe('UNSTABLE');
    expect(calls.map(({ args }) => args)).toEqual([['run', 'deliver', '--reason', reason]]);
    expect(await isThere(join(workspace, 'owned'))).toBe(false);
  });
});

type Workflow = { readonly jobs: Readonly<Record<string, { needs?: string; with?: { args?: string } }>> };

test('workflow, Jenkinsfile and deliver go through the same targets in the same order', async () => {
  const { jobs } = load(await readFile(join(repository, '.github/workflows/deliver.yml'), 'utf8')) as Workflow;
  const chain: string[] = [];
  for (let name = 'check'; name !== undefined; ) {
    const target = /^run (\w+)/.exec(jobs[name]?.with?.args ?? '')?.[1];
    if (target !== undefined) chain.push(target);
    name = Object.keys(jobs).find((other) => jobs[other]?.needs === name) as string; // Absent at the end.
  }
  const text = await readFile(jenkinsfile, 'utf8');
  const stages = [...text.matchAll(/bin\.js run (\w+)/g)].map(([, target]) => target);
  const order = [...new Set((await planOfDeliver()).map(targetOf))];

  expect(chain).toEqual(targets.filter((target) => target !== 'deliver'));
  expect(stages).toEqual(chain);
  expect(order).toEqual(chain);
});

/** Steps of `headgate run deliver --plan --json` in a copy of the repository where something is live. */
async function planOfDeliver(): Promise<readonly string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'headgate-plan-'));
  const filter = (path: string) => !/\/(node_modules|dist|out|\.git|\.headgate)$/.test(path);
  await cp(repository, copy, { recursive: true, filter });
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'));
  await makeLive(copy);
  const args = [join(repository, 'pipeline/dist/cli/bin.js'), 'run', 'deliver', '--plan', '--json'];
  const env = { ...process.env, HEADGATE_HOST: 'local' };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: copy, env, maxBuffer: 16 * 1_048_576 });
    const planned = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { step: string }[];
    return planned.map(({ step }) => step);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** The journal says so: there is something that a new version may be slower than. */
async function makeLive(folder: string): Promise<void> {
  const file = join(folder, 'headgate.yaml');
  const parsed = parseSpec(await readFile(file, 'utf8'), { file });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { spec } = parsed;
  const images = Object.fromEntries(
    Object.keys(spec.services).map((name) => [name, `registry.example/${name}@sha256:${'a'.repeat(64)}`]),
  );
  const live = revise(spec, images, undefined, { template: templateOf(spec), commit: undefined });
  const head = { app: spec.app, live: 'blue', lanes: { blue: live, green: null }, history: [] };
  const { journal } = openRecords(spec, join(folder, '.headgate'));
  await journal.write(JSON.parse(JSON.stringify(head)), undefined, AbortSignal.timeout(5_000));
}
