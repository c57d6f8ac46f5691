import { HeadgateError } from '@headgate/rollout';
import { recordApproval } from '../sign/approval.ts';
import { readSigningKey, readVerifyKey } from '../sign/signature.ts';
import { releaseRegistry } from './deliver.ts';
import { appOptions, openApp } from './open.ts';
import { flag, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: '<revision> --reason <text> [--deny]',
  help: 'Says yes, or no, to a revision that a delivery asks about (20). Only who is named under "approvers" of headgate.yaml may (12). The last word counts; the delivery that is run again goes on by it.',
  options: {
    ...appOptions,
    deny: { type: 'boolean', help: 'say no' },
    reason: { type: 'string', help: 'one sentence for the record; needed' },
  },
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const { env, person: by } = shell;
    const [revision = ''] = call.positionals;
    if (!/^[0-9a-f]{64}$/.test(revision)) {
      throw new HeadgateError('USAGE', `Cannot approve as a revision has 64 digits: current value is "${revision}"`, {
        hint: 'take it from the last lines of the delivery that asks',
      });
    }
    const reason = text(call, 'reason') ?? '';
    if (reason === '') {
      throw new HeadgateError('USAGE', 'Cannot approve without --reason: it stays on record', {
        hint: 'say in one sentence what it rests on',
      });
    }
    const app = await openApp(call, shell);
    const decision = flag(call, 'deny') ? 'denied' : 'approved';
    const { HEADGATE_VERIFY_KEY: verify, HEADGATE_SIGNING_KEY: signing } = env;
    await recordApproval(
      { app: app.spec.app, revision, decision, by, at: Date.now(), reason },
      {
        registry: await releaseRegistry(app, shell),
        approvers: app.spec.approvers,
        verifyKey: verify ? readVerifyKey(verify) : undefined,
        signingKey: signing ? readSigningKey(signing) : undefined,
      },
      shell.signal,
    );
    shell.out(`${decision} revision ${revision.slice(0, 8)} as ${by}; run the delivery again, and it goes on\n`);
    return 0;
  },
};
