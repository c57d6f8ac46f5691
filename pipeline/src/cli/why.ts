import {
  explain,
  explainRoll,
  type Head,
  HeadgateError,
  newestIn,
  odds,
  phaseText,
  plot,
  readHead,
  readStory,
  strip,
} from '@headgate/rollout';
import { lastWordsOf } from '../report/last-words.ts';
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
    const wanted = named === undefined ? (newestIn(head) ?? 0) : Number(named); // 0 where there was none yet.
    const roll = explainRoll(head, wanted);
    if (roll !== undefined) {
      shell.out(flag(call, 'json') ? `${JSON.stringify({ decisions: [], roll })}\n` : `${roll.join('\n')}\n`);
      return 0;
    }
    const decisions = decisionsOf(head, wanted);
    const story = await readStory(records, wanted, shell.signal);
    if (flag(call, 'plot')) {
      shell.out(plot(story ?? nothingOnRecord(wanted), wanted));
      return 0;
    }
    if (flag(call, 'json')) {
      shell.out(`${JSON.stringify({ decisions, judge: story && { compared: story.compared, watch: story.watch } })}\n`);
      return 0;
    }
    tellDecisions(shell, head, decisions);
    for (const line of story === undefined ? [] : [...explain(story), '', ...strip(story)]) shell.out(`${line}\n`);
    return 0;
  },
};

function decisionsOf({ decisions }: Head, wanted: number): Head['decisions'] {
  const own = decisions.filter(({ release }) => release === wanted);
  if (own.length > 0) return own;
  const known = [...new Set(decisions.map(({ release }) => release))].join(', ');
  const what = wanted === 0 ? 'any release' : `release ${wanted}`;
  throw new HeadgateError('USAGE', `Cannot tell why as the journal keeps no decision of ${what}`, {
    hint: `it keeps these: ${known || 'none'}`,
  });
}

async function whyStep(step: string, app: App, json: boolean, shell: Shell): Promise<number> {
  const story = await recordedStep(step, app, shell);
  shell.out(json ? `${JSON.stringify(story)}\n` : `${explainStep(story).join('\n')}\n`);
  return 0;
}

function tellDecisions(shell: Shell, head: Head, decisions: Head['decisions']): void {
  for (const decision of decisions) tellDecision(shell, head, decision);
  for (const line of lastWordsOf(head, decisions[0]?.release ?? 0, shell.env)) shell.out(`          said: ${line}\n`);
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
