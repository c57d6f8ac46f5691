import { setTimeout as sleep } from 'node:timers/promises';
import { headline, readStatus, type StatusState, statusCodes, statusState, statusText } from '@headgate/rollout/status';
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
    const [isJson, watches] = [flag(call, 'json'), flag(call, 'watch')];
    for (;;) {
      // Whoever is on call reads the first line while the evidence is still on its way. A picture that stays is painted at once.
      const isEarly = !isJson && !watches;
      const facts = await readStatus(records, app.spec, shell.signal, (first) => {
        if (isEarly) shell.out(`${paint(shell, colours[statusState(first)], headline(first))}\n`);
      });
      const state = statusState(facts);
      const lines = statusText(facts);
      if (isJson) shell.out(`${JSON.stringify({ state, lines, ...facts })}\n`);
      else if (isEarly)
        shell.out(
          lines
            .slice(1)
            .map((line) => `${line}\n`)
            .join(''),
        );
      else repaint(lines, state, shell);
      if (flag(call, 'report')) {
        await report(lines, app, shell);
        return 0;
      }
      if (!watches) return statusCodes[state];
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

const colours = {
  idle: 'green',
  releasing: 'cyan',
  held: 'yellow',
  rolledBack: 'yellow',
  rollbackFailed: 'red',
} as const satisfies Record<StatusState, string>;

function repaint([first = '', ...rest]: readonly string[], state: StatusState, shell: Shell): void {
  const home = shell.isTerminal ? '\u001b[H\u001b[2J' : '';
  shell.out(`${home}${[paint(shell, colours[state], first), ...rest].join('\n')}\n`);
}
