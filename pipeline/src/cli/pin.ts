import { HeadgateError } from '@headgate/rollout';
import { pinCommand } from './pinning.ts';
import { text } from './shell.ts';

export const command = pinCommand({
  usage: '<header=value | cookie name=value> --to live|candidate|<revision> [--release <n>] [--reason <text>]',
  help: 'Requests with this header or cookie go to that role or revision whatever the weights, from release to release until unpin. Exits 12 when the router cannot do it.',
  options: { to: { type: 'string', help: 'live, candidate, or a revision that a lane holds, by its first digits' } },
  to(call) {
    const to = text(call, 'to');
    if (to !== undefined && /^(live|candidate|[0-9a-f]{4,64})$/.test(to)) return to;
    throw new HeadgateError(
      'USAGE',
      `Cannot pin as --to must be live, candidate or a revision: current value is "${to ?? ''}"`,
      { hint: 'run `headgate status` for the revisions' },
    );
  },
});
