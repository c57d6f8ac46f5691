import { setTimeout as sleep } from 'node:timers/promises';
import { readStatus, statusCodes, statusState, statusText } from '@headgate/rollout';
import { fenced } from '../report/summary.ts';
import { type App, appOptions, openApp, openHostOf, openJournal } from './open.ts';
import { flag, paint, type Shell, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '[--watch] [--json] [--report]',
  help: 'One screen for the person on call. Exits 0 idle or healthy, 3 releasing, 4 held, 5 rolled back, 14 rollback failed.',
  options: {
    ...appOptions,
    watch: { type: 'boolean', short: 'w', help: 'again every second, until Ctrl-C' },
    report: {
      type: 'boolean',
      help: "for a job of a CI, which has done its work when it can tell: onto the job's page too, and exit 0 whatever it says",
    },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const records = openJournal(app);
    for (;;) {
      const facts = await readStatus(records, app.spec, shell.signal);
      const state = statusState(facts);
      if (flag(call, 'json')) shell.out(`${JSON.stringify({ state, lines: statusText(facts), ...facts })}\n`);
      else show(statusText(facts), state, shell, flag(call, 'watch'));
      if (flag(call, 'report')) {
        await report(statusText(facts), app, shell);
        return 0;
      }
      if (!flag(call, 'watch')) return statusCodes[state];
      await sleep(1_000, undefined, { signal: shell.signal }).catch(() => undefined);
      if (shell.signal.aborted) return statusCodes[state];
    }
  },
};

async function report(lines: readonly string[], app: App, shell: Shell): Promise<void> {
  const host = await openHostOf(app, shell);
  const where = app.environment === undefined ? '' : ` in ${app.environment}`;
  await host.summarize([`## ${app.spec.app}${where}`, ...fenced(lines), ''].join('\n'));
}

function show(
  [first = '', ...rest]: readonly string[],
  state: keyof typeof statusCodes,
  shell: Shell,
  repaint: boolean,
): void {
  const colour = (
    { idle: 'green', releasing: 'cyan', held: 'yellow', rolledBack: 'yellow', rollbackFailed: 'red' } as const
  )[state];
  const home = repaint && shell.isTerminal ? '\u001b[H\u001b[2J' : '';
  shell.out(`${home}${[paint(shell, colour, first), ...rest].join('\n')}\n`);
}
