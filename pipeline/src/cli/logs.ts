import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { toldLog } from '../journal/told.ts';
import type { StepStory } from '../report/why.ts';
import { logFile, logsFolder } from '../run/session.ts';
import { appOptions, openApp } from './open.ts';
import { recordedStep } from './recorded-step.ts';
import { flag, paint, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '<step>',
  help: 'The whole log of a step: of the last run, or, for a result from the cache, of the run that made it. What it prints is out/logs/<step>.log, without secrets. Of a run of this commit on another machine, where both share a registry and HEADGATE_CACHE_KEY, it is the end of the log.',
  options: appOptions,
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const [step = ''] = call.positionals;
    const app = await openApp(call, shell);
    const { folder } = app;
    const story = await recordedStep(step, app, shell);
    const path = pathOf(step, story, folder);
    const log = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new HeadgateError('USAGE', `Cannot show the log of ${step} as there is no file "${path}"`, {
        hint: `run \`headgate why ${step}\`: it says what the last run did with this step`,
        cause,
      });
    });
    const { run } = story.start;
    const isOlder = !hasLog(story);
    if (flag(call, 'json')) {
      const lines = log.split('\n').slice(0, -1); // Each line ends, the last one too.
      shell.out(`${JSON.stringify({ step, run, older: isOlder, file: relative(folder, path), lines })}\n`);
      return 0;
    }
    if (isOlder)
      shell.err(`${paint(shell, 'yellow', `run ${run} did not execute ${step}; this is of an earlier one`)}\n`);
    shell.out(log);
    return 0;
  },
};

/** Where other machines ran it, the end of it that they told. */
function pathOf(step: string, { start }: StepStory, folder: string): string {
  return start.elsewhere
    ? toldLog(join(folder, '.headgate', 'runs', start.run), step)
    : logFile({ folders: { logs: logsFolder(folder) } }, step);
}

/** A step that was skipped, or found its work done, leaves the log of an earlier run as it is. */
function hasLog({ events }: StepStory): boolean {
  return events.some(({ kind }) => kind === 'step.start' || kind === 'step.cached');
}
