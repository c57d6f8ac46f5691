import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { onPath } from '@headgate/rollout/servers';
import { whyWithout } from './provide.rig.ts';

export type Happened = Readonly<Record<string, unknown>> & { readonly kind: string };

const packages = { groovy: 'groovy', java: 'default-jre-headless' };
const outputMaxBytes = 64 * 1_048_576;

/** Installs what the harness needs. @returns why it could not */
export function whyWithoutHarness(): Promise<string | undefined> {
  return whyWithout(packages);
}

/**
 * Plays a Jenkinsfile, or a step of the shared library, by Groovy 2.4 in `workspace`, as harness.groovy tells.
 * @returns what happened, in order; the last one has the result of the build
 */
export async function playHarness(
  file: string,
  workspace: string,
  env: NodeJS.ProcessEnv,
): Promise<readonly Happened[]> {
  const args = [join(import.meta.dirname, 'harness.groovy'), file, workspace, join(import.meta.dirname, '../vars')];
  const { stdout } = await promisify(execFile)('groovy', args, {
    env: { ...process.env, JAVA_HOME: await javaHome(), ...env },
    maxBuffer: outputMaxBytes,
  });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Happened);
}

/** Debian's groovy looks for Java at one place alone, where another package may have put none. */
async function javaHome(): Promise<string | undefined> {
  const java = onPath('java', process.env);
  return process.env['JAVA_HOME'] ?? (java && dirname(dirname(await realpath(java))));
}
