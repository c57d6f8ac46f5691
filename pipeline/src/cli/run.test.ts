import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { makeVersion } from '../demo/versions.ts';
import { aShell } from './shell.rig.ts';

const repository = join(import.meta.dirname, '../../..');

test('run deliver --plan tells every step, starts no server and leaves no file', async () => {
  await using shell = await aShell();
  await makeVersion(repository, shell.cwd, []);
  await writeFile(join(shell.cwd, 'headgate.yaml'), readFileSync(join(repository, 'headgate.yaml'), 'utf8'));
  const before = await readdir(shell.cwd, { recursive: true });

  const json = await shell.run('run', 'deliver', '--skip-check', '--plan', '--json');
  const plain = await shell.run('run', 'images', '--skip-check', '--plan');

  expect(JSON.parse(json.out)).toEqual([
    { step: 'image:proxy', kind: 'would-run', changed: ['never run'] },
    { step: 'imagetest:proxy', kind: 'blocked', by: ['image:proxy'] },
    { step: 'image:rating', kind: 'would-run', changed: ['never run'] },
    { step: 'imagetest:rating', kind: 'blocked', by: ['image:rating'] },
    { step: 'publish', kind: 'blocked', by: ['imagetest:proxy', 'imagetest:rating'] },
    { step: 'staging', kind: 'blocked', by: ['publish'] },
    { step: 'release', kind: 'blocked', by: ['publish', 'staging'] },
  ]);
  expect(plain.out).toMatch(/^> image:proxy +would run: never run\n\? imagetest:proxy +depends on what image:proxy /);
  expect([json.code, plain.code]).toEqual([0, 0]);
  expect(await readdir(shell.cwd, { recursive: true })).toEqual(before);
});

test('run --only and --from do nothing that comes before, and plans say so', async () => {
  await using shell = await aShell();
  await makeVersion(repository, shell.cwd, []);
  await writeFile(join(shell.cwd, 'headgate.yaml'), readFileSync(join(repository, 'headgate.yaml'), 'utf8'));
  const run = (...args: readonly string[]) => shell.run('run', 'deliver', '--skip-check', ...args);
  const why = 'run: never run';

  const plan = await run('--only', 'publish', '--plan', '--json');
  const refused = await run('--only', 'imagetest:proxy');
  const both = await run('--only', 'publish', '--from', 'publish');
  await shell.run('cluster', 'down'); // Its servers write into the folder that goes.

  expect(JSON.parse(plan.out)).toEqual([
    { step: 'image:proxy', kind: 'missing', why },
    { step: 'imagetest:proxy', kind: 'blocked', by: ['image:proxy'] },
    { step: 'image:rating', kind: 'missing', why },
    { step: 'imagetest:rating', kind: 'blocked', by: ['image:rating'] },
    { step: 'publish', kind: 'blocked', by: ['imagetest:proxy', 'imagetest:rating'] },
  ]);
  expect([refused.code, refused.out]).toEqual([
    12,
    expect.stringContaining('Cannot take what "image:proxy" left as there is nothing'),
  ]);
  expect(both.code).toBe(64);
});

test.each([['0'], ['2.5'], ['all']])('run --concurrency %s exits 64', async (given) => {
  await using shell = await aShell({ 'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8') });

  const { code, err } = await shell.run('run', 'check', '--concurrency', given);

  expect([code, err]).toEqual([64, expect.stringContaining(`a whole number from 1: current value is "${given}"`)]);
});

test('run with another priority than "usual" exits 64 before anything is done', async () => {
  await using shell = await aShell(
    { 'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8') },
    { HEADGATE_PRIORITY: 'high' },
  );

  const { code, err } = await shell.run('run', 'deliver', '--plan');

  expect([code, err]).toEqual([64, expect.stringContaining('must be "usual", or not be set: current value is "high"')]);
});

test('on the machine of a pull request, which no cluster knows, check runs and the plan of the release goes to its page', async () => {
  const out = await mkdtemp(join(tmpdir(), 'headgate-summary-'));
  const summary = join(out, 'summary');
  await writeFile(summary, '');
  await using shell = await aShell(
    {},
    {
      ...process.env,
      HEADGATE_HOST: 'github',
      GITHUB_STEP_SUMMARY: summary,
      HEADGATE_REGISTRY: '',
      HOME: out,
      KUBECONFIG: '',
      HEADGATE_KUBECONFIG: '',
    },
  );
  await makeVersion(repository, shell.cwd, []);
  const app = readFileSync(join(repository, 'headgate.yaml'), 'utf8');
  await writeFile(join(shell.cwd, 'headgate.yaml'), `${app}${onCluster}`);
  await writeFile(join(shell.cwd, 'package.json'), '{ "scripts": { "check": "true" } }');
  // The toolkit of Actions reads these by itself.
  const files = { GITHUB_STEP_SUMMARY: summary, GITHUB_OUTPUT: join(out, 'output') };
  await writeFile(files.GITHUB_OUTPUT, '');
  const before = { ...process.env };
  Object.assign(process.env, files);
  try {
    const check = await shell.run('run', 'check');
    const planned = await shell.run('run', 'deliver', '--plan');

    expect([check.code, planned.code]).toEqual([0, 0]);
    expect(planned.err).toContain('What is live is not known here, so nothing is compared with it: ');
    const page = readFileSync(summary, 'utf8');
    expect(page).toContain('## What a merge would do\n```text\n= check');
    expect(page).toMatch(/^\? release +depends on what publish/m);
    expect(page).toMatch(/^release\.steps +\[5%, 25%, 50%\]|^release\.steps\[0\] +5%/m);
  } finally {
    for (const name of Object.keys(files)) delete process.env[name];
    Object.assign(process.env, before);
    await rm(out, { recursive: true });
  }
});

test('a check is done again after a change of any file of the repository, and of no file that git ignores', async () => {
  const files = {
    'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8'),
    'package.json': '{ "scripts": { "check": "true" } }',
    '.gitignore': 'notes\n',
    'action.yml': '',
  };
  await using shell = await aShell(files, { PATH: process.env['PATH'], HOME: tmpdir() });
  const folders = ['ansible/roles/verify', '.github/workflows', '.ci', 'pipeline', 'apps/shop'];
  for (const folder of folders) await mkdir(join(shell.cwd, folder), { recursive: true });
  await promisify(execFile)('git', ['init', '--quiet', shell.cwd]);
  const planned = async () => JSON.parse((await shell.run('run', 'check', '--plan', '--json')).out);

  const first = await shell.run('run', 'check');
  await writeFile(join(shell.cwd, 'notes'), 'mine');
  const unchanged = await planned();

  expect(first).toMatchObject({ code: 0, err: '' });
  expect(unchanged).toMatchObject([{ step: 'check', kind: 'cached' }]);
  const changed = [...folders.map((folder) => `${folder}/new`), 'action.yml', 'headgate.yaml'];
  for (const file of changed) await appendFile(join(shell.cwd, file), '# changed\n');
  const expected = changed.toSorted().map((file) => `file ${file}`);
  expect(await planned()).toEqual([{ step: 'check', kind: 'would-run', changed: expected }]);
});

test.each(['staging', 'perf'])(
  'run %s is nothing to do without that environment, and starts and asks nothing',
  async (target) => {
    const without = readFileSync(join(repository, 'headgate.yaml'), 'utf8').replace(/^environments:\n(?: .*\n)*/m, '');
    const env = { ...process.env, KUBECONFIG: '/none', HEADGATE_HOST: 'local', HEADGATE_REGISTRY: '' };
    await using shell = await aShell({ 'headgate.yaml': `${without}${onCluster}` }, env);

    const planned = await shell.run('run', target, '--plan', '--json');
    const before = await readdir(shell.cwd);
    await mkdir(join(shell.cwd, 'out'));
    await writeFile(join(shell.cwd, 'out/outputs.json'), '{ "release": "41" }'); // Of a run before.
    const ran = await shell.run('run', target, '--skip-check');

    const says = 'nothing to do: headgate.yaml has no environment "staging"\n';
    expect(planned).toEqual({ code: 0, out: '[]\n', err: '' });
    expect(before).toEqual(['headgate.yaml']);
    expect(ran).toMatchObject({ code: 0, out: says, err: expect.stringContaining('environments: { staging: {} }') });
    expect(JSON.parse(readFileSync(join(shell.cwd, 'out/outputs.json'), 'utf8'))).toEqual({
      target,
      outcome: 'done',
      'exit-code': '0',
    });
  },
);

test('run staging into staging itself is refused, with what was meant', async () => {
  await using shell = await aShell({ 'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8') });

  const ran = await shell.run('run', 'staging', '--environment', 'staging', '--plan');

  expect(ran).toMatchObject({ code: 64, err: expect.stringContaining('run production') });
});

/** The rest of headgate.yaml for an app on Kubernetes. */
const onCluster = `kubernetes:
  namespace: ratings
  traffic:
    gateway-api: { route: ratings }
    replicas: { namespace: gateway, service: traefik, listener: web, metrics: traefik }
  driver: controller
`;

test('perf --plan is the way to the performance gate, without a staging and without a release', async () => {
  await using shell = await aShell();
  await makeVersion(repository, shell.cwd, []);
  await writeFile(join(shell.cwd, 'headgate.yaml'), readFileSync(join(repository, 'headgate.yaml'), 'utf8'));
  const image = (name: string) => `${name}=registry.example/ratings/${name}@sha256:${'a'.repeat(64)}`;

  const { code, out } = await shell.run(
    'perf',
    '--against',
    `${image('proxy')},${image('rating')}`,
    '--plan',
    '--json',
  );

  const steps = (JSON.parse(out) as { step: string }[]).map(({ step }) => step);
  expect(steps).toEqual(['image:proxy', 'imagetest:proxy', 'image:rating', 'imagetest:rating', 'publish', 'perf']);
  expect(code).toBe(0);
});

test.each([
  { against: [], code: 64, says: 'as nothing of proxy, rating is live yet\n  name an image of each with --against' },
  { against: ['--against', `proxi=r/p@sha256:${'a'.repeat(64)}`], code: 64, says: 'there is no such service' },
  { against: ['--against', 'proxy=r/p:latest'], code: 12, says: 'must be pinned by digest' },
])('perf $against exits $code before anything is started', async ({ against, code, says }) => {
  await using shell = await aShell({ 'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8') });

  const ran = await shell.run('perf', ...against);

  expect(ran.code).toBe(code);
  expect(ran.err).toContain(says);
  expect(await readdir(shell.cwd)).toEqual(['headgate.yaml']);
});
