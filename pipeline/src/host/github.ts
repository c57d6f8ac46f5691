import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import * as core from '@actions/core';
import { githubReporter, type RunnerCommands } from '../report/github.ts';
import { actorOf } from './actor.ts';
import { beginBuild } from './build.ts';
import { githubApi, writeStatus } from './commit-status.ts';
import { fit, sizeOf } from './files.ts';
import { readGit } from './git.ts';
import type { Change, CiHost, HostOptions } from './host.ts';

const hint = 'give the job `permissions: statuses: write` and pass github.token as GITHUB_TOKEN';

const commands: RunnerCommands = core;

/** A job of GitHub Actions. Whatever speaks to the runner goes through @actions/core, and only while the guard is open. */
export function openHost({ root, env, write, guard }: HostOptions): CiHost {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  const url = server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined;
  return {
    kind: 'github',
    url,
    async change(signal): Promise<Change> {
      const { branch, ...seen } = await readGit(root, signal);
      const told = (await headOfPullRequest(env['GITHUB_EVENT_PATH'])) ?? env['GITHUB_REF_NAME'];
      return { ...seen, branch: told ?? branch, actor: actorOf('github', env) };
    },
    reporter: () =>
      githubReporter({ write, guard, commands, place: (file) => fromTop(root, env['GITHUB_WORKSPACE'], file) }),
    // The runner gives each step new files for the rest.
    begin: () => beginBuild(root, actorOf('github', env)),
    annotate(title, { level, message }) {
      guard.obeyed(() => commands[level](message, { title }));
    },
    async output(values) {
      const set = () => {
        for (const [name, value] of Object.entries(values)) core.setOutput(name, value);
      };
      // Multi-line values go to a file between random delimiters; without the file they would be a command.
      if (env['GITHUB_OUTPUT']) set();
      else guard.obeyed(set);
    },
    async summarize(markdown) {
      const file = env['GITHUB_STEP_SUMMARY'];
      if (file !== undefined) await core.summary.addRaw(fit(markdown, await sizeOf(file))).write();
    },
    async mark(status, signal) {
      const { GITHUB_TOKEN: token, GITHUB_API_URL: api = githubApi } = env;
      if (!token || !repository) return 'unsupported';
      return await writeStatus(status, { api, repository, token, url, hint }, signal);
    },
  };
}

/** The event as GitHub wrote it down; a branch of a pull request is in no variable when a queue of merges runs it. */
async function headOfPullRequest(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const event = JSON.parse(await readFile(path, 'utf8')) as { pull_request?: { head?: { ref?: unknown } } };
    const ref = event.pull_request?.head?.ref;
    return typeof ref === 'string' ? ref : undefined;
  } catch {
    return undefined; // Only a name for people: the variables have one too.
  }
}

/** Annotations name files from the top of the repository, of which the root may be a part. */
function fromTop(root: string, workspace: string | undefined, file: string): string {
  return workspace === undefined ? file : relative(workspace, join(root, file));
}
