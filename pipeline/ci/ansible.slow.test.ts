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

  /** Plays it where `headgate status` answers this. @returns what else was asked of `headgate`, or what the play failed with */
  async function played(
    playbook: string,
    variables: object,
    status: { head: object; code: number },
    ...args: string[]
  ) {
    const work = await mkdtemp(join(tmpdir(), 'headgate-playbook-'));
    const calls = join(work, 'calls');
    const text = JSON.stringify({ head: status.head, lines: [] });
    await writeFile(
      join(work, 'headgate'),
      `#!/bin/sh\necho "$*" >>${calls}\n[ "$1" != status ] || { echo '${text}'; exit ${status.code}; }\n`,
      { mode: 0o755 },
    );
    const all = { headgate_command: [join(work, 'headgate')], headgate_options: [], ...variables };
    try {
      await run('ansible-playbook', [playbook, '--extra-vars', JSON.stringify(all), ...args], { cwd: folder, env });
      const [, ...acts] = (await readFile(calls, 'utf8')).trim().split('\n');
      return acts;
    } catch (error) {
      return (error as { stdout: string }).stdout;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  test.each([
    { what: 'is the newest', code: 0 },
    { what: 'could not be rolled back before, and waits for a person', code: 14 },
  ])(
    'rollback.yml takes the release back that $what, by its name: one that has begun since stays',
    async ({ code }) => {
      const status = { head: { nextRelease: 43, history: [] }, code };

      expect(await played('rollback.yml', { rollback_release: 42, rollback_reason: 'a ticket' }, status)).toEqual([
        'rollback --release 42 --reason a ticket',
      ]);
    },
    60_000,
  );

  test.each([
    { kind: 'holding', args: [], done: ['promote --release 42 --reason by Ansible'] },
    { kind: 'holding', args: ['--check'], done: [] },
    { kind: 'rollingBack', args: ['--check'], done: expect.stringContaining('Release 42 is not promoted any more') },
  ])(
    'switch.yml $args of a release that is $kind',
    async ({ kind, args, done }) => {
      const head = { live: 'blue', release: { id: 42, candidate: 'green', state: { phase: { kind } } } };

      expect(await played('switch.yml', { switch_release: 42 }, { head, code: 3 }, ...args)).toEqual(done);
    },
    60_000,
  );

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
