import { jenkinsReporter } from '../report/jenkins.ts';
import { actorOf } from './actor.ts';
import { beginBuild } from './build.ts';
import { githubApi, repositoryOn, writeStatus } from './commit-status.ts';
import { openOutFiles } from './files.ts';
import { originOf, readGit } from './git.ts';
import type { Change, CiHost, HostOptions } from './host.ts';

const hint =
  'give the token in HEADGATE_GITHUB_TOKEN the right to write commit statuses of this repository (of a classic token: repo:status)';

/** Jenkins shows a console, JUnit and archived files; the Jenkinsfile hands over the latter two. */
export function openHost({ root, env, write }: HostOptions): CiHost {
  const begin = () => beginBuild(root, actorOf('jenkins', env));
  const url = env['BUILD_URL'];
  return {
    kind: 'jenkins',
    url,
    async change(signal): Promise<Change> {
      const { branch, ...seen } = await readGit(root, signal);
      // Jenkins checks a commit out, not a branch, and tells the branch beside it; GIT_BRANCH has the remote's name before it.
      const told = env['BRANCH_NAME'] ?? env['GIT_BRANCH']?.replace(/^origin\//, '');
      return { ...seen, branch: told ?? branch, actor: actorOf('jenkins', env) };
    },
    reporter: () => jenkinsReporter(write),
    annotate: () => {},
    begin,
    ...openOutFiles(root, begin), // Whatever command is the first of its build.
    async mark(status, signal) {
      const token = env['HEADGATE_GITHUB_TOKEN'];
      if (!token) return 'unsupported';
      const api = (env['GITHUB_API_URL'] || githubApi).replace(/\/+$/, '');
      // Of a checkout that a Jenkinsfile asks for itself Jenkins sets no variable.
      const address = env['GIT_URL'] || (await originOf(root, signal));
      const repository = address && repositoryOn(api, address);
      return repository ? await writeStatus(status, { api, repository, token, url, hint }, signal) : 'unsupported';
    },
  };
}
