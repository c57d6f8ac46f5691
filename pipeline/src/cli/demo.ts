import { appOptions, openApp } from './open.ts';
import type { Subcommand } from './shell.ts';

export const command: Subcommand = {
  usage: '',
  help: 'Builds, tests and publishes three versions of the example and releases them under load: a first, a good and a bad one. Leaves nothing behind.',
  options: appOptions,
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const { spec, folder } = await openApp(call, shell);
    const { tell } = await import('../demo/story.ts');
    return tell(spec, folder, shell);
  },
};
