import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from '@headgate/rollout/servers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { withAnsible } from './ansible.ts';

/** Of the machine's own, these alone: neither Ansible nor Python. */
const programs = ['bash', 'cat', 'chmod', 'cut', 'dirname', 'env', 'flock', 'id', 'mkdir', 'rm', 'sha256sum', 'touch'];
let folder: string;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-ansible-'));
  said = [];
  await mkdir(join(folder, 'bin'));
  for (const name of programs) await symlink(onPath(name, process.env) ?? '/nowhere', join(folder, 'bin', name));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A Python that writes down what it is asked for, and whose venv has a pip that brings Ansible. */
const python = `#!/usr/bin/env bash
echo "python3 $*" >>"$CALLS"
[ "$2" = venv ] || exit 0
mkdir -p "$3/bin"
cat >"$3/bin/pip" <<'PIP'
#!/usr/bin/env bash
echo "pip $*, key: $HEADGATE_SIGNING_KEY" >>"$CALLS"
cat >"$(dirname "$0")/ansible-playbook" </dev/null
PIP
chmod 755 "$3/bin/pip"
`;

function machine(): { env: NodeJS.ProcessEnv; calls: () => Promise<string[]> } {
  const calls = join(folder, 'calls');
  const own = {
    CALLS: calls,
    XDG_CACHE_HOME: join(folder, 'cache'),
    HEADGATE_SIGNING_KEY: 'of-Headgate-and-nobody-else',
  };
  return {
    env: { PATH: join(folder, 'bin'), HOME: folder, ...own },
    calls: async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(Boolean),
  };
}

const asked = (env: NodeJS.ProcessEnv) => withAnsible(env, (line) => said.push(line), AbortSignal.timeout(20_000));

test('withAnsible() installs the pinned Ansible into the cache the first time, says so, and finds it from then on', async () => {
  const { env, calls } = machine();
  await writeFile(join(folder, 'bin/python3'), python, { mode: 0o755 });

  const first = await asked(env);
  const second = await asked(env);

  const [made = ''] = (await readdir(join(folder, 'cache/headgate'))).filter((name) => !name.endsWith('.lock'));
  const venv = join(folder, 'cache/headgate', made, 'bin');
  expect(first).toEqual({ ...env, PATH: `${venv}:${env['PATH']}` });
  expect(second).toEqual(first);
  const pips = (await calls()).filter((call) => call.startsWith('pip'));
  expect(pips).toEqual([expect.stringMatching(/--requirement \S*\/ansible\/requirements\.txt, key: $/)]);
  expect(said).toHaveLength(2);
});

test('withAnsible() takes the one on the PATH, and asks nobody', async () => {
  const { env, calls } = machine();
  await writeFile(join(folder, 'bin/ansible-playbook'), '', { mode: 0o755 });
  await writeFile(join(folder, 'bin/python3'), python, { mode: 0o755 });

  expect(await asked(env)).toBe(env);
  expect([said, await calls()]).toEqual([[], []]);
});

test('withAnsible() names the cure where there is no Python to make it with', async () => {
  const { env } = machine();
  await expect(asked(env)).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    hint: expect.stringContaining('apt-get install -y python3-venv'),
  });
});
