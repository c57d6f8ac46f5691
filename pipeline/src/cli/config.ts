import { HeadgateError } from '@headgate/rollout';
import { appOptions, openApp } from './open.ts';
import type { Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: 'show',
  help: 'Prints the app with every default filled in, as JSON; or every mistake of headgate.yaml with line, rule and value (exit 64).',
  options: appOptions,
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    if (call.positionals[0] !== 'show') {
      throw new HeadgateError('USAGE', `Cannot run "headgate config ${call.positionals[0]}" as there is only "show"`, {
        hint: 'run `headgate config show`',
      });
    }
    const { spec } = await openApp(call, shell);
    shell.out(`${JSON.stringify(spec, undefined, 2)}\n`);
    return 0;
  },
};
