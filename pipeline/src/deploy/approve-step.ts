import { HeadgateError } from '@headgate/rollout';
import { type Approval, type Approvals, readApproval, recordApproval } from '../sign/approval.ts';
import { readSigningKey, readVerifyKey } from '../sign/signature.ts';
import { type Step, step } from '../step.ts';
import type { Publish } from './image-steps.ts';
import type { Place } from './place.ts';
import { imagesOf, type Releaser } from './release-steps.ts';

/** Whom a delivery asks before its release. */
export type Asking = {
  /** PEM, or `undefined`. */
  readonly verifyKey: string | undefined;
  /** Name of the secret with the signing key, or `undefined`. */
  readonly secret: string | undefined;
  /** Who started this run and says yes by that, or `undefined`. */
  readonly yesOf: string | undefined;
  readonly reason: string;
};

type Parts = {
  readonly publish: Publish;
  readonly after: readonly Step[];
  readonly releaser: Releaser;
  readonly asking: Asking;
};

/** Asks nobody twice: what a person has said about a revision stands, wherever the delivery goes on. */
export function approveStep(place: Place, { publish, after, releaser, asking }: Parts) {
  const { app, approvers } = place.spec;
  const approvals = (): Approvals => ({
    registry: place.registry ?? '', // What is published has a registry.
    approvers,
    verifyKey: asking.verifyKey ? readVerifyKey(asking.verifyKey) : undefined,
  });
  return step('approve', {
    kind: 'effect',
    needs: [publish, ...after],
    observe: async ({ out, log, signal }) => {
      const seen = await releaser.observe(imagesOf(out), 'release', signal);
      const said = await readApproval({ app, revision: seen.revision }, approvals(), signal);
      if (said?.decision === 'approved') log(`approved by ${said.by}: ${said.reason}`);
      if (seen.kind === 'live' || said?.decision === 'approved') return { kind: 'done', values: undefined };
      return { kind: 'absent', diff: `ask ${approvers.join(', ')} about revision ${seen.revision.slice(0, 8)}` };
    },
    run: async ({ out, secret, log, signal }) => {
      const { revision } = await releaser.observe(imagesOf(out), 'release', signal);
      const { yesOf, secret: name, reason } = asking;
      if (yesOf === undefined)
        return refuse(revision, approvers, await readApproval({ app, revision }, approvals(), signal));
      const approval = { app, revision, decision: 'approved', by: yesOf, at: Date.now(), reason } as const;
      const signingKey = name === undefined ? undefined : readSigningKey(secret(name));
      await recordApproval(approval, { ...approvals(), signingKey }, signal);
      log(`approved by ${yesOf}: ${reason}`);
    },
  });
}

function refuse(revision: string, approvers: readonly string[], said: Approval | undefined): never {
  const hint = `headgate approve ${revision}`;
  if (said !== undefined) {
    throw new HeadgateError(
      'UNAPPROVED',
      `Cannot release revision ${revision.slice(0, 8)} as ${said.by} has said no: ${said.reason}`,
      {
        hint: `release another one; an approver may think again: \`${hint}\``,
      },
    );
  }
  throw new HeadgateError(
    'UNAPPROVED',
    `Cannot release revision ${revision.slice(0, 8)} before one of its approvers has said yes: ${approvers.join(', ')}`,
    { hint: `one of them runs \`${hint}\`; then run this again, and it goes on from here` },
  );
}
