import { duration, readHead, short } from '@headgate/rollout';
import { readCommitTimes } from '../host/git.ts';
import { metricsOfReleases } from '../report/prometheus.ts';
import { appOptions, openApp, openJournal } from './open.ts';
import { flag, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '[--json|--prometheus]',
  help: 'Every release on record, newest last. `headgate why <n>` tells one in full.',
  options: {
    ...appOptions,
    prometheus: {
      type: 'boolean',
      help: 'as Prometheus text: releases, change failure ratio, median lead time and time to restore of those on record',
    },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const { history } = await readHead(openJournal(app).journal, app.spec.app, shell.signal);
    if (flag(call, 'json')) {
      shell.out(`${JSON.stringify(history)}\n`);
      return 0;
    }
    if (flag(call, 'prometheus')) {
      const commits = history.flatMap(({ commit }) => (commit === undefined ? [] : [commit]));
      shell.out(metricsOfReleases(app.spec.app, history, await readCommitTimes(app.folder, commits, shell.signal)));
      return 0;
    }
    if (history.length === 0) shell.out('nothing has been released yet\n');
    for (const { id, revision, commit, outcome, actor, startedAt, endedAt, text } of history) {
      const when = new Date(startedAt).toISOString().slice(0, 19).replace('T', ' ');
      const what = `${short(revision)}${commit === undefined ? '' : ` commit ${commit.slice(0, 7)}`}`;
      shell.out(
        `${String(id).padStart(4)}  ${when}  ${what}  ${outcome.padEnd(10)}  after ${duration(endedAt - startedAt)}, by ${actor}: ${text}\n`,
      );
    }
    return 0;
  },
};
