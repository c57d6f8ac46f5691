import { HeadgateError, type Platform, readHead, settled, waitFor } from '@headgate/rollout';
import { type App, appOptions, openApp, openPorts, releaseNumber } from './open.ts';
import { conclude, handsFor, presenter } from './present.ts';
import { flag, paint, type Shell, type Subcommand, text, word } from './shell.ts';

export const command: Subcommand = {
  usage: '[--for promoted|ended|ready] [--release <n>] [--timeout <seconds>]',
  help: 'For scripts: exits 0 when the release is promoted, 11 when it was rolled back (a rolling update: 13), 4 when the time is up. With --for ready: 0 when every instance of the live lane is ready and a request is answered through it, 1 with the reason as soon as one cannot come up.',
  options: {
    ...appOptions,
    for: { type: 'string', help: 'promoted, ended (default) or ready' },
    release: { type: 'string', help: 'the release that is meant (default the current one)' },
    timeout: { type: 'string', help: 'seconds (default 3600)' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const until = word(call, 'for', ['promoted', 'ended', 'ready']) ?? 'ended';
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
    if (until === 'ready') return waitReady(app, ports, timeout * 1_000, shell);
    await using hands = handsFor(app, ports, shell, presenter(shell, flag(call, 'json')));
    const ended = await waitFor(hands, until, timeout * 1_000, releaseNumber(call));
    if (ended.kind !== 'timeout') return conclude(ended, { app, journal: ports.journal, shell }, false);
    shell.err(
      `release ${ended.head.release?.id} has not ended within ${timeout} s; run \`headgate status\` for the reason\n`,
    );
    return 4;
  },
};

/** Of the live lane, whoever has changed it. */
async function waitReady({ spec }: App, ports: Platform, timeoutMs: number, shell: Shell): Promise<number> {
  const { live: lane } = await readHead(ports.journal, spec.app, shell.signal);
  if (lane === undefined) {
    throw new HeadgateError('REFUSED', `Cannot wait for the live lane of ${spec.app} as nothing is live yet`, {
      hint: 'run `headgate release` first',
    });
  }
  const lack = await settled({ workload: ports.workload, lane, revision: undefined, timeoutMs }, shell.signal);
  if (lack === undefined) shell.out(`lane ${lane} is ready\n`);
  else shell.err(`${paint(shell, 'red', `lane ${lane} is not ready`)}: ${lack}\n`);
  return lack === undefined ? 0 : 1;
}
