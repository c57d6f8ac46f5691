import { openDashboard } from '@headgate/rollout/dashboard';
import { appOptions, openApp, openJournal } from './open.ts';
import { port, portOption, type Subcommand, stayAt } from './shell.ts';

export const command: Subcommand = {
  usage: '[--port <n>]',
  help: 'A page for a browser of this machine: what `status` says, and of the release that came last the picture and the rules of `why`. It is looked at again every second while the page is open. Changes nothing; prints the URL, and stays until Ctrl-C.',
  options: { ...appOptions, port: portOption },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const localPort = port(call, 'port') ?? 0;
    const app = await openApp(call, shell);
    await using dashboard = await openDashboard({ records: openJournal(app), spec: app.spec }, localPort);
    return await stayAt(dashboard.url, call, shell);
  },
};
