import { HeadgateError, odds, phaseText, readHead } from '@headgate/rollout';
import { appOptions, openApp, openJournal } from './open.ts';
import { clock } from './present.ts';
import { flag, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '<release>',
  help: 'Every decision of a release with what was seen when it was taken, from the journal.',
  options: appOptions,
  positionals: { min: 0, max: 1 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const head = await readHead(openJournal(app).journal, app.spec.app, shell.signal);
    const wanted = call.positionals[0] === undefined ? head.release?.id : Number(call.positionals[0]);
    const records = head.decisions.filter(({ release }) => release === wanted);
    if (records.length === 0) {
      const known = [...new Set(head.decisions.map(({ release }) => release))].join(', ');
      throw new HeadgateError(
        'USAGE',
        `Cannot tell why as the journal keeps no decision of release ${call.positionals[0] ?? '?'}`,
        { hint: `it keeps these: ${known || 'none'}` },
      );
    }
    if (flag(call, 'json')) {
      shell.out(`${JSON.stringify(records)}\n`);
      return 0;
    }
    for (const { look, after, why, commands } of records) {
      const { evidence, weights } = look;
      const state = phaseText({ ...(head.release ?? never()), state: after }, look.now).replace(/ for 0 s$/, '');
      const good = evidence.logPromote === undefined ? '' : `, good enough ${odds(evidence.logPromote)}`;
      shell.out(`${clock(look.now)}  ${state}: ${why}\n`);
      shell.out(
        `          seen: blue ${weights?.blue ?? '?'} %, green ${weights?.green ?? '?'} %; worse ${odds(evidence.logRollback)}${good}\n`,
      );
      for (const command of commands) shell.out(`          did: ${JSON.stringify(command)}\n`);
    }
    return 0;
  },
};

function never(): never {
  throw new RangeError('A journal with decisions has a release');
}
