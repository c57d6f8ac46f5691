import { liveReporter, plainReporter } from '../report/console.ts';
import { actorOf } from './actor.ts';
import { beginBuild } from './build.ts';
import { openOutFiles } from './files.ts';
import { readGit } from './git.ts';
import type { CiHost, HostOptions } from './host.ts';

/** A laptop, or any machine with the sources on it. */
export function openHost({ root, env, write, isTerminal }: HostOptions): CiHost {
  return {
    kind: 'local',
    url: undefined,
    change: async (signal) => ({ ...(await readGit(root, signal)), actor: actorOf('local', env) }),
    reporter: () =>
      isTerminal
        ? liveReporter({ write, columns: () => process.stdout.columns ?? 80, now: () => Date.now() })
        : plainReporter(write),
    begin: () => beginBuild(root, undefined),
    annotate: () => {},
    ...openOutFiles(root),
    mark: async () => 'unsupported',
  };
}
