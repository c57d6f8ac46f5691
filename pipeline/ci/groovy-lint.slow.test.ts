import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { unless, whyWithout } from './provide.rig.ts';

const repository = join(import.meta.dirname, '../..');

const withJava = unless(await whyWithout({ java: 'default-jre-headless' }), test);

/** What `npm run lint:groovy` says, not in colour; a stage of a declarative pipeline may repeat what another one says. */
async function lint(...files: readonly string[]): Promise<string> {
  const args = ['run', '--silent', 'lint:groovy', '--', ...files];
  const env = { ...process.env, FORCE_COLOR: '0' };
  const { stdout } = await promisify(execFile)('npm', args, { cwd: repository, env, timeout: 100_000 }).catch(
    (failed: { stdout?: string }) => ({ stdout: failed.stdout ?? String(failed) }),
  );
  return stdout;
}

withJava(
  'Jenkinsfile and the step of the library have no finding, of whatever severity',
  async () => {
    const said = await lint('pipeline/Jenkinsfile', 'pipeline/vars/headgate.groovy');

    expect(said).toMatch(/in 2 linted files/);
    for (const severity of ['Error', 'Warning', 'Info']) expect(said).toMatch(new RegExp(`'${severity}' +│ 0 `));
  },
  120_000,
);

withJava(
  'a Jenkinsfile with a variable that nobody reads has one',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headgate-groovy-'));
    try {
      await writeFile(join(folder, 'Jenkinsfile'), "node {\n  int nobody = 1\n  sh 'true'\n}\n");

      expect(await lint(join(folder, 'Jenkinsfile'))).toMatch(/UnusedVariable/);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  120_000,
);
