import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { readRuns } from '../journal/runs.ts';
import { findStep, type StepStory, stepsIn } from '../report/why.ts';
import { askElsewhere } from './elsewhere.ts';
import type { App } from './open.ts';
import type { Shell } from './shell.ts';

/** A step in the newest run that had it, here or where the registry is shared. @throws {HeadgateError} `USAGE` */
export async function recordedStep(step: string, app: App, shell: Shell): Promise<StepStory> {
  await askElsewhere(app, shell);
  const runs = join(app.folder, '.headgate', 'runs');
  const story = await findStep(step, readRuns(runs));
  if (story !== undefined) return story;
  const known = (await stepsIn(readRuns(runs))).join(', ');
  throw new HeadgateError('USAGE', `Cannot look at step "${step}" as no run on record has it`, {
    hint: known === '' ? 'run `headgate run deliver` first' : `name one of these: ${known}`,
  });
}
