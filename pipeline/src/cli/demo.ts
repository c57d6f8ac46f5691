import type { Subcommand } from './shell.ts';
export const command: Subcommand = {
  usage: '',
  help: '',
  options: {},
  positionals: { min: 0, max: 0 },
  run: async () => 0,
};
