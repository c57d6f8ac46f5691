import {
  act,
  type Handled,
  type Hands,
  instant,
  needsRestore,
  readHead,
  restore,
  unroll,
  waitOn,
} from '@headgate/rollout';
import { hostKindOf } from '../host/host.ts';
import { tellHandled } from './ending.ts';
import { actOptions, openApp, openPorts, releaseNumber } from './open.ts';
import { finish, handsFor, presenter } from './present.ts';
import { flag, type Shell, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '[--release <n>] [--to <revision>] [--reason <text>]',
  help: 'While a release runs, is watched or is kept warm: weight 0 now, nothing is lost. Later: the previous revision is released again without steps. So is any other that --to names, at any time: what runs goes back first, and what waits is refused.',
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
    const restores = !rolled && needsRestore(head, to, instant(Date.now()));
    const handled = rolled
      ? await unroll(hands, asked)
      : restores
        ? await restore(hands, to, asked)
        : await act(hands, 'rollback', asked);
    const exitCode = finish(handled, shell, !restores);
    await tellHandled(await toItsEnd(handled, hands, shell), { app, journal: ports.journal, shell, rolled });
    return exitCode;
  },
};

const backMaxMs = 900_000;

/** Somebody else drives it back. A job of a CI stays for that, as whoever delivered it may be gone, and its commit is to hear. */
async function toItsEnd(handled: Handled, hands: Hands, { env }: Shell): Promise<Handled> {
  if (handled.kind !== 'done' || hostKindOf(env) === 'local') return handled;
  const ended = await waitOn(hands, handled.head.release?.id, backMaxMs);
  return ended.kind === 'timeout' ? handled : ended;
}
