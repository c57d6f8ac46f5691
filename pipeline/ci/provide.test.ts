import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { unless, whyWithout } from './provide.rig.ts';

const { default: ClosingLineReporter } = await import(join(import.meta.dirname, '../../closing-line-reporter.js'));
const somebody = (env: NodeJS.ProcessEnv) => ({ uid: 1_000, env: { PATH: '', ...env } });
const groovy = { groovy: 'groovy' };

describe('a test whose program cannot be had', () => {
  test('is skipped by its name, with the reason and the cure', async () => {
    const names: string[] = [];
    const block = Object.assign(() => {}, { skip: (name: string) => void names.push(name) });

    unless(await whyWithout(groovy, somebody({})), block)('the Jenkinsfile ends', () => {});

    expect(names).toEqual([
      'the Jenkinsfile ends (skipped: Cannot find groovy as it is not installed, and only root may install it: ' +
        'run `apt-get update && apt-get install -y groovy` as root)',
    ]);
  });

  test('fails on a CI host', async () => {
    await expect(whyWithout(groovy, somebody({ CI: 'true' }))).rejects.toThrow('Cannot find groovy');
  });

  test('runs where the program is there', async () => {
    const name = process.execPath.split('/').at(-1) ?? '';
    const { PATH } = process.env;

    expect(await whyWithout({ [name]: 'nodejs' }, somebody({ CI: 'true', PATH }))).toBeUndefined();
  });
});

describe('the end of a test run', () => {
  const tests = [
    { status: 'passed', fullName: 'adds' },
    { status: 'pending', fullName: 'the Jenkinsfile ends (skipped: no Groovy)' },
  ];
  const counts = { numPassedTests: 1, numFailedTests: 0, numRuntimeErrorTestSuites: 0, numPendingTests: 1 };
  const results = {
    ...counts,
    numTodoTests: 0,
    testResults: [{ testFilePath: '/work/a.test.ts', testResults: tests }],
  };
  const said = (pattern: string) => {
    using spy = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    new ClosingLineReporter({ rootDir: '/work', testNamePattern: pattern }).onRunComplete(new Set(), results);
    return spy.mock.calls.map(([line]) => String(line)).join('');
  };

  test('names what was skipped before its closing line', () => {
    expect(said('')).toBe(
      '\nskipped: a.test.ts: the Jenkinsfile ends (skipped: no Groovy)\n\n1 passed, 0 failed, 1 skipped\n',
    );
  });

  test('leaves out what was not asked for', () => {
    expect(said('adds')).toBe('\n1 passed, 0 failed, 1 skipped\n');
  });
});
