/** The rolling update by the hand of Ansible: what the playbook is told, and how it is run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HeadgateError } from '@headgate/rollout';
import { onPath, tied } from '@headgate/rollout/servers';
import { openShell } from '../run/shell.ts';

const folder = fileURLToPath(new URL('../../../ansible', import.meta.url));

export type Playing = {
  /** Such as `deploy.yml`. */
  readonly playbook: string;
  /** Variables of the play. They are handed over in a file: a command line is for all to see. */
  readonly variables: object;
  /** Says what it would change, and changes nothing. */
  readonly check: boolean;
  /** Where reports go. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
};

/** Whether it ended well. @throws {HeadgateError} `TOOL_MISSING` */
export async function play(playing: Playing, signal: AbortSignal): Promise<boolean> {
  const { playbook, variables, check, root, env, out } = playing;
  if (onPath('ansible-playbook', env) === undefined) {
    throw new HeadgateError('TOOL_MISSING', 'Cannot roll as ansible-playbook must be on the PATH', {
      hint: `PATH=$(${join(folder, 'setup.sh')}):$PATH, or \`pip install -r ${join(folder, 'requirements.txt')}\``,
    });
  }
  const work = await mkdtemp(join(tmpdir(), 'headgate-play-'));
  try {
    const file = join(work, 'variables.json');
    await writeFile(file, JSON.stringify(variables), { mode: 0o600 });
    const spool = { write: (_: string, chunk: Uint8Array) => out(Buffer.from(chunk).toString()), log: () => {} };
    const $ = await openShell({ root, env: { ...env, ...settings(root, env) }, spool, signal });
    const flags = ['--extra-vars', `@${file}`, '--diff', ...(check ? ['--check'] : [])];
    // Without us it has no lock. By `exec` it is our own child and no shell's.
    const command = tied('ansible-playbook', [join(folder, playbook), ...flags]).flat();
    return (await $`exec ${command}`.nothrow()).exitCode === 0;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What is set in the environment already, but for the locale, stays so. */
function settings(root: string, env: Playing['env']): Readonly<Record<string, string | undefined>> {
  return {
    ANSIBLE_CONFIG: join(folder, 'ansible.cfg'),
    JUNIT_OUTPUT_DIR: join(root, 'out', 'junit'),
    // The same cluster as Headgate's own.
    K8S_AUTH_KUBECONFIG: env['HEADGATE_KUBECONFIG'] ?? env['KUBECONFIG'],
    ...env,
    LC_ALL: 'C.UTF-8', // Ansible refuses any locale that is not UTF-8 and installed.
  };
}
