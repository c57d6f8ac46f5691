import { duration, HeadgateError, unlock } from '@headgate/rollout';
import { appOptions, openApp, openJournal } from './open.ts';
import { type Call, flag, paint, type Shell, type Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '[--yes [--insist]]',
  help: 'Frees the lock of a driver that is dead or hangs. Without --yes it says who holds the lock and since when, and does nothing (75). With it, it watches for as long as any other driver would wait; a holder that renews works, and keeps the lock (75) unless you insist. Who loses the lock stops before the next write, and takes it again when it is free: end that driver first. The next command goes on with what it left.',
  options: {
    ...appOptions,
    yes: { type: 'boolean', help: 'do it' },
    insist: { type: 'boolean', help: 'even if the holder renews; at once' },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const app = await openApp(call, shell);
    const { lock } = openJournal(app);
    const name = app.spec.app;
    const seen = await lock.holding(shell.signal);
    if (seen === undefined) return tell({ outcome: 'free' }, `the lock of ${name} is free`, call, shell);
    const { holder, since } = seen;
    const held = `${holder} holds it since ${new Date(since).toISOString()}, for ${duration(Date.now() - since)}`;
    if (!flag(call, 'yes')) {
      throw refused(name, held, 'end that driver if it still runs, then repeat this with --yes');
    }
    shell.err(`${paint(shell, 'yellow', held)}; if it lives, it stops before its next write\n`);
    const unlocked = await unlock(lock, flag(call, 'insist'), shell.signal);
    if (unlocked.kind === 'renewing') {
      throw refused(
        name,
        `${unlocked.holding.holder} renews it, so that driver works`,
        'end that driver, or take the lock from it with --insist',
      );
    }
    if (unlocked.kind === 'free') return tell({ outcome: 'free' }, `${holder} has given it back`, call, shell);
    return tell({ outcome: 'taken', holder, since }, `the lock of ${name} is free: taken from ${holder}`, call, shell);
  },
};

function refused(app: string, why: string, hint: string): HeadgateError {
  return new HeadgateError('LOCK_HELD', `Cannot take the lock of ${app} away as ${why}`, { hint });
}

function tell(json: object, words: string, call: Call, shell: Shell): number {
  shell.out(flag(call, 'json') ? `${JSON.stringify(json)}\n` : `${words}\n`);
  return 0;
}
