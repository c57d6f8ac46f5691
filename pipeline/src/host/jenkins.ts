import { jenkinsReporter } from '../report/jenkins.ts';
import { actorOf } from './actor.ts';
import { beginBuild } from './build.ts';
import { openOutFiles } from './files.ts';
import { readGit } from './git.ts';
import type { Change, CiHost, HostOptions } from './host.ts';

/** Jenkins shows a console, JUnit and archived files; the Jenkinsfile hands over the latter two. */
export function openHost({ root, env, write }: HostOptions): CiHost {
  const begin = () => beginBuild(root, actorOf('jenkins', env));
  return {
    kind: 'jenkins',
    url: env['BUILD_URL'],
    async change(signal): Promise<Change> {
      const { branch, ...seen } = await readGit(root, signal);
      // Jenkins checks a commit out, not a branch, and tells the branch beside it; GIT_BRANCH has the remote's name before it.
      const told = env['BRANCH_NAME'] ?? env['GIT_BRANCH']?.replace(/^origin\//, '');
      return { ...seen, branch: told ?? branch, actor: actorOf('jenkins', env) };
    },
    reporter: () => jenkinsReporter(write),
    begin,
    ...openOutFiles(root, begin), // Whatever command is the first of its build.
    mark: async () => 'unsupported',
  };
}
