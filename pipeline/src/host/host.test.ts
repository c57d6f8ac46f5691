import { readFile, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { openPlainGuard } from './guard.ts';
import { describeCiHost, type HostUnderTest } from './host.contract.ts';
import { type HostKind, hostKindOf, openHost } from './host.ts';

async function aHost(kind: HostKind, env: Record<string, string>, root: string) {
  let written = '';
  const write = (text: string) => {
    written += text;
  };
  const guard = openPlainGuard(write);
  const host = await openHost({ root, env: { HEADGATE_HOST: kind, ...env }, write, guard, isTerminal: false });
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

describe('hostKindOf()', () => {
  test.each([
    { env: {}, kind: 'local' },
    { env: { GITHUB_ACTIONS: 'true' }, kind: 'github' },
    { env: { JENKINS_URL: 'http://jenkins/' }, kind: 'jenkins' },
    { env: { GITHUB_ACTIONS: 'true', HEADGATE_HOST: 'local' }, kind: 'local' },
  ])('$env is $kind', ({ env, kind }) => {
    expect(hostKindOf(env)).toBe(kind);
  });

  test('refuses an unknown name and says the known ones', () => {
    expect(() => hostKindOf({ HEADGATE_HOST: 'travis' })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_KIND', hint: expect.stringContaining('local, github, jenkins') }),
    );
  });
});
