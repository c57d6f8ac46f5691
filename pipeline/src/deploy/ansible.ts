/** Ansible on this machine: the playbooks, and the programs that play them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HeadgateError, withDeadline } from '@headgate/rollout';
import { onPath } from '@headgate/rollout/servers';
import { clusterEnvironment, type Environment } from '../run/environment.ts';

/** Beside pipeline/ in the repository; a package has a copy inside. */
const places = ['../../../ansible', '../../ansible'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** Where the playbooks lie. */
export const ansibleFolder = places.find((place) => existsSync(join(place, 'deploy.yml'))) ?? String(places[0]);

const setup = join(ansibleFolder, 'setup.sh');

/** How a machine comes by Ansible. */
export const ansibleCure = `\`apt-get install -y python3-venv\`: with it ${setup} makes Ansible where it is needed; or \`pip install -r ${join(ansibleFolder, 'requirements.txt')}\``;

const setupMaxMs = 600_000;

/**
 * Variables by which `ansible-playbook` is found: these where it is on the PATH, else with the pinned one in the user's cache, which is
 * made when nobody has needed it yet.
 * @param say hears that it takes a while
 * @throws {HeadgateError} `TOOL_MISSING` where it cannot be made
 */
export async function withAnsible(
  env: Environment,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Environment> {
  if (onPath('ansible-playbook', env) !== undefined) return env;
  say('ansible-playbook is not on the PATH: taking the pinned one, which is installed the first time');
  const options = { env: { ...clusterEnvironment(env) }, signal: withDeadline(signal, setupMaxMs) };
  try {
    const { stdout } = await promisify(execFile)('bash', [setup], options);
    return { ...env, PATH: `${stdout.trim()}:${env['PATH'] ?? ''}` };
  } catch (cause) {
    signal.throwIfAborted();
    throw new HeadgateError(
      'TOOL_MISSING',
      'Cannot roll as ansible-playbook must be on the PATH, or be installed by Python',
      { hint: ansibleCure, cause },
    );
  }
}
