import { type Act, act } from '@headgate/rollout';
import { actOptions, openApp, openPorts, releaseNumber } from './open.ts';
import { conclude, handsFor, presenter } from './present.ts';
import { flag, type Subcommand, text } from './shell.ts';

/** Promote, step, hold and resume differ in one word only. */
export function actCommand(kind: Act, help: string): Subcommand {
  return {
    usage: '[--release <n>] [--reason <text>]',
    help,
    options: actOptions,
    positionals: { min: 0, max: 0 },
    async run(call, shell) {
      const app = await openApp(call, shell);
      await using ports = await openPorts(app, shell);
      await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
      const handled = await act(hands, kind, {
        release: releaseNumber(call),
        reason: text(call, 'reason') ?? 'no reason given',
      });
      return conclude(handled, { app, journal: ports.journal, shell }, false);
    },
  };
}
