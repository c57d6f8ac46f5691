import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openPlainGuard } from './guard.ts';
import { describeCiHost, type HostUnderTest, hostSecret } from './host.contract.ts';
import { type HostKind, hostKindOf, openHost } from './host.ts';

async function aHost(kind: HostKind, env: Record<string, string>, root: string) {
  let written = '';
  const write = (text: string) => {
    written += text;
  };
  const guard = openPlainGuard(write);
  const host = await openHost({
    root,
    env: { HEADGATE_HOST: kind, DB_PASSWORD: hostSecret, ...env },
    write,
    guard,
    isTerminal: false,
  });
  return {
    host,
    written: () => written,
    outputs: async () => JSON.parse(await readFile(join(root, 'out/outputs.json'), 'utf8')),
    summary: () => readFile(join(root, 'out/summary.md'), 'utf8'),
  };
}

describeCiHost('local', async (root) => ({
  ...(await aHost('local', {}, root)),
  actor: `${userInfo().username}@${hostname()}`,
}));

describeCiHost('jenkins', async (root) => ({
  ...(await aHost('jenkins', { JOB_NAME: 'ratings', BUILD_NUMBER: '7', GIT_BRANCH: 'origin/main' }, root)),
  actor: 'jenkins/ratings/7',
}));

/** The toolkit writes past the host's own `write`; unheard, or a runner of this test would obey. */
const stdout = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
afterAll(() => stdout.mockRestore());
const summaryFile = join(tmpdir(), `headgate-summary-${process.pid}.md`);
describeCiHost('github', async (root): Promise<HostUnderTest> => {
  const outputFile = join(root, '..', `headgate-output-${process.pid}`);
  // The toolkit asks the process, and remembers the summary's file.
  Object.assign(process.env, { GITHUB_OUTPUT: outputFile, GITHUB_STEP_SUMMARY: summaryFile });
  for (const file of [outputFile, summaryFile]) await writeFile(file, '');
  const env = {
    GITHUB_RUN_ID: '12',
    GITHUB_RUN_ATTEMPT: '2',
    GITHUB_REF_NAME: 'main',
    GITHUB_STEP_SUMMARY: summaryFile,
  };
  return {
    ...(await aHost('github', env, root)),
    actor: 'actions/12/2',
    outputs: async () => parseFileCommands(await readFile(outputFile, 'utf8')),
    summary: () => readFile(summaryFile, 'utf8'),
  };
});

/** As the runner reads GITHUB_OUTPUT: `name=value`, or `name<<delimiter`, lines, `delimiter`. */
function parseFileCommands(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split('\n');
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name = '', delimiter = ''] = /^([^=]*?)<<(.+)$/.exec(line) ?? [];
    if (name !== '')
      values[name] = lines
        .splice(0, lines.indexOf(delimiter) + 1)
        .slice(0, -1)
        .join('\n');
    else if (line.includes('=')) values[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
  }
  return values;
}

describe('begin()', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-build-'));
    await mkdir(join(root, 'out/junit'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));
  const junit = () => readdir(join(root, 'out/junit'));

  /** A build that tells one value and a line, and leaves the reports that Headgate leaves. */
  async function build(kind: HostKind, env: Record<string, string>, name: string): Promise<void> {
    const { host } = await aHost(kind, env, root);
    await host.begin();
    await host.output({ [name]: name });
    await host.summarize(`${name}\n`);
    for (const file of [kind === 'jenkins' ? `pipeline-${name}.xml` : 'pipeline.xml', `deploy-${name.length}.25.xml`])
      await writeFile(join(root, 'out/junit', file), '');
  }

  test('on a machine of a person leaves nothing of the run before, and reports of others alone', async () => {
    await writeFile(join(root, 'out/junit/jest.xml'), '');
    await build('local', {}, 'first');
    await build('local', {}, 'second');
    const { host, outputs, summary } = await aHost('local', {}, root);

    expect([await outputs(), await summary()]).toEqual([{ second: 'second' }, 'second\n']);
    expect((await junit()).sort()).toEqual(['deploy-6.25.xml', 'jest.xml', 'pipeline.xml']);
    await host.begin();
    expect((await readdir(join(root, 'out'), { recursive: true })).sort()).toEqual(['junit', 'junit/jest.xml']);
  });

  test('in Jenkins lets the stages of a build add to the same, and begins anew with the next build', async () => {
    const seventh = { JOB_NAME: 'ratings', BUILD_NUMBER: '7' };
    await build('jenkins', seventh, 'check');
    await build('jenkins', seventh, 'images');
    const { outputs, summary } = await aHost('jenkins', seventh, root);

    expect([await outputs(), await summary()]).toEqual([{ check: 'check', images: 'images' }, 'check\nimages\n']);
    expect((await junit()).sort()).toEqual([
      'deploy-5.25.xml',
      'deploy-6.25.xml',
      'pipeline-check.xml',
      'pipeline-images.xml',
    ]);
    // A command that begins nothing, such as status --report, may be the first of its build.
    await (await aHost('jenkins', { ...seventh, BUILD_NUMBER: '8' }, root)).host.summarize('status\n');
    expect([await summary(), await junit()]).toEqual(['status\n', []]);
    await expect(outputs()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('in Actions takes away what another run has left in a workspace that is kept', async () => {
    await writeFile(join(root, 'out/junit/deploy-1.5.xml'), '');

    await (await aHost('github', { GITHUB_RUN_ID: '13' }, root)).host.begin();

    expect(await junit()).toEqual([]);
  });
});

describe('hostKindOf()', () => {
  test.each([
    { env: {}, kind: 'local' },
    { env: { GITHUB_ACTIONS: 'true' }, kind: 'github' },
    { env: { JENKINS_URL: 'http://jenkins/' }, kind: 'jenkins' },
    { env: { GITHUB_ACTIONS: 'true', HEADGATE_HOST: 'local' }, kind: 'local' },
    { env: { GITHUB_ACTIONS: 'true', HEADGATE_HOST: '' }, kind: 'github' },
    { env: { JENKINS_URL: '', HEADGATE_HOST: '' }, kind: 'local' },
  ])('$env is $kind', ({ env, kind }) => {
    expect(hostKindOf(env)).toBe(kind);
  });

  test('refuses an unknown name and says the known ones', () => {
    expect(() => hostKindOf({ HEADGATE_HOST: 'travis' })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_KIND', hint: expect.stringContaining('local, github, jenkins') }),
    );
  });
});
