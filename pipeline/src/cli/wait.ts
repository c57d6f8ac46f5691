import { HeadgateError, waitFor } from '@headgate/rollout';
import { openHost } from '../host/host.ts';
import { tellRelease } from '../report/release.ts';
import { appOptions, openApp, openPorts } from './open.ts';
import { finish, handsFor, presenter } from './present.ts';
import { flag, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '[--for promoted|ended] [--timeout <seconds>]',
  help: 'For scripts: exits 0 when the release is promoted, 11 when it was rolled back, 4 when the time is up.',
  options: {
    ...appOptions,
    for: { type: 'string', help: 'promoted or ended (default ended)' },
    timeout: { type: 'string', help: 'seconds (default 3600)' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const until = text(call, 'for') ?? 'ended';
    if (until !== 'promoted' && until !== 'ended') {
      throw new HeadgateError('USAGE', `Cannot wait as --for must be promoted or ended: current value is "${until}"`, {
        hint: 'run `headgate wait --help`',
      });
    }
    const timeout = Number(text(call, 'timeout') ?? 3_600);
    if (!(timeout > 0)) {
      throw new HeadgateError(
        'USAGE',
        `Cannot wait as --timeout must be seconds above 0: current value is "${text(call, 'timeout')}"`,
        { hint: 'run `headgate wait --help`' },
      );
    }
    const app = await openApp(call, shell);
    await using ports = await openPorts(app, shell);
    const ended = await waitFor(
      handsFor(app, ports, shell, presenter(shell, flag(call, 'json'))),
      until,
      timeout * 1_000,
    );
    if (ended.kind === 'ended') {
      const { out: write, env, guard, isTerminal } = shell;
      const host = await openHost({ root: app.folder, env, write, guard, isTerminal });
      const { journal } = ports;
      const one = { journal, release: ended.release, environment: undefined };
      // A host that takes no report changes nothing about the release.
      await tellRelease(one, { host, root: app.folder }, shell.signal).catch((error: unknown) =>
        shell.err(`The release has ended, and could not be told to ${host.kind}: ${String(error)}\n`),
      );
    }
    if (ended.kind !== 'timeout') return finish(ended, shell, false);
    shell.err(
      `release ${ended.head.release?.id} has not ended within ${timeout} s; run \`headgate status\` for the reason\n`,
    );
    return 4;
  },
};
