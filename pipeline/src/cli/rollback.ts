import { act, instant, needsRestore, readHead, restore, unroll } from '@headgate/rollout';
import { tellHandled } from './ending.ts';
import { actOptions, openApp, openPorts, releaseNumber } from './open.ts';
import { finish, handsFor, presenter } from './present.ts';
import { flag, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '[--release <n>] [--to <revision>] [--reason <text>]',
  help: 'While a release runs, is watched or is kept warm: weight 0 now, nothing is lost. Later: the previous revision, or the one named by --to, is released again without steps.',
  options: { ...actOptions, to: { type: 'string', help: 'a revision that was live before, by its first digits' } },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    await using ports = await openPorts(app, shell);
    await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
    const head = await readHead(ports.journal, app.spec.app, shell.signal);
    const asked = { release: releaseNumber(call), reason: text(call, 'reason') ?? 'no reason given' };
    const to = text(call, 'to');
    const rolled = head.rolling !== undefined;
    const restores = !rolled && (to !== undefined || needsRestore(head, instant(Date.now())));
    const handled = rolled
      ? await unroll(hands, asked)
      : restores
        ? await restore(hands, to, asked)
        : await act(hands, 'rollback', asked);
    const exitCode = finish(handled, shell, !restores);
    await tellHandled(handled, { app, journal: ports.journal, shell, rolled });
    return exitCode;
  },
};
