import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from '@jest/globals';

const file = join(import.meta.dirname, '../../.ci/run');

/** Of `.ci/run`, with a program in the place of npm that plays nothing: the last of its lines. */
async function lastLines(npm: string, count: number): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-ci-run-'));
  try {
    await writeFile(join(folder, 'npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
    await writeFile(join(folder, 'id'), '#!/bin/sh\necho 1000\n', { mode: 0o755 }); // Who is not root plays no cluster.
    const env = { ...process.env, CI: undefined, PATH: `${folder}${delimiter}${process.env['PATH']}` };
    const said = await new Promise<string>((ended) => {
      execFile(file, { env, maxBuffer: 1_000_000 }, (_error, stdout) => ended(stdout)); // What it says is asked, not how it ends.
    });
    return said.trimEnd().split('\n').slice(-count);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('.ci/run says before its sum how many tests of each run were skipped, and sets CI=true for all', async () => {
  const lines = await lastLines(
    'case "$*" in *test:slow) echo "3 passed, 0 failed, 2 skipped";; *) [ "$CI" = true ] && echo "1 passed, 0 failed";; esac',
    4,
  );

  expect(lines).toEqual([
    'not played: 2 skipped of slow tests, each named there',
    expect.stringMatching(/^not played: all that needs a cluster, as .* needs root/),
    '',
    expect.stringMatching(/^\d+ passed, 0 failed$/),
  ]);
});

test('.ci/run says once more at the end what failed, and with which words', async () => {
  const lines = await lastLines(
    [
      'case "$*" in',
      '*test:slow) printf "fine\\n  ● Jenkins › it stops\\n\\n    Expected: 1\\n\\n2 passed, 1 failed, 0 skipped\\n"; exit 1;;',
      '*perf-replay) echo "no line to count"; exit 3;;',
      '*check:static) exit 2;;',
      '*) echo "1 passed, 0 failed";;',
      'esac',
    ].join('\n'),
    15,
  );

  expect(lines).toEqual([
    'failed: check: exit code 2',
    '',
    'failed: slow tests: 1, exit code 1',
    '  ● Jenkins › it stops',
    '',
    '    Expected: 1',
    '',
    '2 passed, 1 failed, 0 skipped',
    '',
    'failed: performance gate, replayed: 1, exit code 3',
    'no line to count',
    '',
    expect.stringMatching(/^not played: all that needs a cluster/),
    '',
    expect.stringMatching(/^\d+ passed, 3 failed$/),
  ]);
});
