import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';

const folder = join(import.meta.dirname, '../../ansible');
const run = promisify(execFile);
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const { stdout } = await run(join(folder, 'setup.sh'), { timeout: 300_000 });
  env = { ...process.env, PATH: `${stdout.trim()}:${process.env['PATH']}`, LC_ALL: 'C.UTF-8' };
}, 300_000);

describe('ansible', () => {
  test('yamllint has nothing to say, not even a warning', async () => {
    expect(await run('yamllint', ['--strict', '.'], { cwd: folder, env })).toEqual({ stdout: '', stderr: '' });
  });

  test('ansible-lint has nothing to say by its strictest profile', async () => {
    const { stderr } = await run('ansible-lint', ['--nocolor'], { cwd: folder, env });

    expect(stderr).toContain('0 failure(s), 0 warning(s) in');
    expect(stderr).toContain("Profile 'production' was required, and it passed");
  }, 180_000);

  test('rollback.yml names the release that it looked at: one that has begun since is not taken back', async () => {
    const work = await mkdtemp(join(tmpdir(), 'headgate-rollback-'));
    const calls = join(work, 'calls');
    const status = JSON.stringify({ head: { nextRelease: 43, history: [] }, lines: [] });
    // As `headgate` answers while release 42 is the newest.
    await writeFile(
      join(work, 'headgate'),
      `#!/bin/sh\necho "$*" >>${calls}\n[ "$1" = rollback ] || echo '${status}'\n`,
      {
        mode: 0o755,
      },
    );
    const own = { headgate_command: [join(work, 'headgate')], headgate_options: [] };
    const variables = { ...own, rollback_release: 42, rollback_reason: 'a ticket' };
    try {
      await run('ansible-playbook', ['rollback.yml', '--extra-vars', JSON.stringify(variables)], { cwd: folder, env });

      expect((await readFile(calls, 'utf8')).trim().split('\n')).toEqual([
        'status --json',
        'rollback --release 42 --reason a ticket',
      ]);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }, 60_000);

  test("what the Prometheus operator gets has the rule file's own alerts, and leaves Alertmanager's words to it", async () => {
    const work = await mkdtemp(join(tmpdir(), 'headgate-observability-'));
    const role = join(folder, 'roles/observability');
    const task = {
      'ansible.builtin.template': {
        src: join(role, 'templates/operator.yml.j2'),
        dest: join(work, 'made'),
        mode: '0600',
      },
    };
    const play = {
      hosts: 'all',
      gather_facts: false,
      vars_files: [join(role, 'defaults/main.yml')],
      tasks: [{ name: 'Render', ...task }],
    };
    try {
      await symlink(join(role, 'files'), join(work, 'files'));
      await writeFile(join(work, 'play.yml'), JSON.stringify([{ name: 'Render', ...play }]));
      await run('ansible-playbook', [join(work, 'play.yml'), '-e', 'observability_app=ratings'], { cwd: folder, env });

      const objects = loadAll(await readFile(join(work, 'made'), 'utf8')) as { kind: string; spec: object }[];

      const of = (kind: string) => objects.filter((object) => object.kind === kind).map(({ spec }) => spec);
      expect(of('PodMonitor')).toHaveLength(2);
      expect(of('PrometheusRule')).toEqual([load(await readFile(join(role, 'files/rules.yml'), 'utf8'))]);
      expect(of('AlertmanagerConfig')).toMatchObject([
        {
          receivers: [
            {
              pagerdutyConfigs: [
                { description: '{{ .CommonAnnotations.summary }}', routingKey: { key: 'routing-key' } },
              ],
            },
          ],
        },
      ]);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }, 60_000);
});
