import {
  explain,
  type Head,
  HeadgateError,
  odds,
  phaseText,
  plot,
  readHead,
  readStory,
  strip,
} from '@headgate/rollout';
import { explainStep } from '../report/why.ts';
import { type App, appOptions, openApp, openJournal } from './open.ts';
import { clock } from './present.ts';
import { recordedStep } from './recorded-step.ts';
import { flag, type Shell, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '<release or step>',
  help: 'Every decision of a release with what was seen when it was taken, from the journal. Of a step: what the last run did with it, and which inputs were others than before.',
  options: {
    ...appOptions,
    plot: { type: 'boolean', help: 'one picture of the release as SVG: weights, failure ratios, odds' },
  },
  positionals: { min: 0, max: 1 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const [named] = call.positionals;
    if (named !== undefined && !/^\d+$/.test(named)) return whyStep(named, app, flag(call, 'json'), shell);
    const records = openJournal(app);
    const head = await readHead(records.journal, app.spec.app, shell.signal);
    const wanted = call.positionals[0] === undefined ? head.release?.id : Number(call.positionals[0]);
    const decisions = head.decisions.filter(({ release }) => release === wanted);
    if (decisions.length === 0 || wanted === undefined) {
      const known = [...new Set(head.decisions.map(({ release }) => release))].join(', ');
      throw new HeadgateError(
        'USAGE',
        `Cannot tell why as the journal keeps no decision of release ${call.positionals[0] ?? '?'}`,
        { hint: `it keeps these: ${known || 'none'}` },
      );
    }
    const story = await readStory(records, wanted, shell.signal);
    if (flag(call, 'plot')) {
      shell.out(plot(story ?? nothingOnRecord(wanted), wanted));
      return 0;
    }
    if (flag(call, 'json')) {
      shell.out(`${JSON.stringify({ decisions, judge: story && { compared: story.compared, watch: story.watch } })}\n`);
      return 0;
    }
    for (const decision of decisions) tellDecision(shell, head, decision);
    for (const line of story === undefined ? [] : [...explain(story), '', ...strip(story)]) shell.out(`${line}\n`);
    return 0;
  },
};

async function whyStep(step: string, { folder }: App, json: boolean, shell: Shell): Promise<number> {
  const story = await recordedStep(step, folder);
  shell.out(json ? `${JSON.stringify(story)}\n` : `${explainStep(story).join('\n')}\n`);
  return 0;
}

function tellDecision(shell: Shell, head: Head, { look, after, why, commands }: Head['decisions'][number]): void {
  const { evidence, weights } = look;
  const state = phaseText({ ...(head.release ?? never()), state: after }, look.now).replace(/ for 0 s$/, '');
  const good = evidence.logPromote === undefined ? '' : `, good enough ${odds(evidence.logPromote)}`;
  shell.out(`${clock(look.now)}  ${state}: ${why}\n`);
  shell.out(
    `          seen: blue ${weights?.blue ?? '?'} %, green ${weights?.green ?? '?'} %; worse ${odds(evidence.logRollback)}${good}\n`,
  );
  for (const command of commands) shell.out(`          did: ${JSON.stringify(command)}\n`);
}

function nothingOnRecord(release: number): never {
  throw new HeadgateError('USAGE', `Cannot draw release ${release} as the journal keeps no evidence of it`, {
    hint: 'name one of the last ten releases',
  });
}

function never(): never {
  throw new RangeError('A journal with decisions has a release');
}
