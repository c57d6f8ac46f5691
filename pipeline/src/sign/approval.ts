import type { KeyObject } from 'node:crypto';
import { canonicalJson, HeadgateError } from '@headgate/rollout';
import { digestOf } from '../image/layout.ts';
import { parseRepository } from '../registry/http.ts';
import { getArtifact, putArtifact } from './attach.ts';
import { isSignedBy, signDigest } from './signature.ts';

const approvalType = 'application/vnd.headgate.approval.v1+json';

/** A person's word about a revision, that is about these very images and their configuration. */
export type Approval = {
  readonly app: string;
  readonly revision: string;
  readonly decision: 'approved' | 'denied';
  /** The person, as the host knows them. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
};

/** Where words are kept, and whose count. They lie in the registry, where laptop and CI find them alike. */
export type Approvals = {
  /** `host:port/prefix` of the release registry. */
  readonly registry: string;
  readonly approvers: readonly string[];
  /** By which each word must be signed; `undefined`: a name will do. */
  readonly verifyKey: KeyObject | undefined;
};

/**
 * The last word about a revision counts.
 * @throws {HeadgateError} `REFUSED` for who may not: no approver, or without the key that words must be signed by
 */
export async function recordApproval(
  approval: Approval,
  { registry, approvers, verifyKey, signingKey }: Approvals & { readonly signingKey: KeyObject | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { by, revision } = approval;
  const cannot = `Cannot decide about revision ${revision.slice(0, 8)}`;
  if (!approvers.includes(by)) {
    throw new HeadgateError(
      'REFUSED',
      `${cannot} as whoever does must be one of its approvers: current value is "${by}"`,
      {
        hint: `ask one of ${approvers.join(', ') || 'none: headgate.yaml names no approvers'}`,
      },
    );
  }
  const payload = Buffer.from(canonicalJson(approval));
  const signed = { of: 'approval', digest: digestOf(payload) } as const;
  const signature = signingKey === undefined ? '' : signDigest(signed, signingKey);
  if (verifyKey !== undefined && (signature === '' || !isSignedBy(signed, signature, verifyKey))) {
    throw new HeadgateError('REFUSED', `${cannot} as with HEADGATE_VERIFY_KEY a decision must be signed by its key`, {
      hint: 'decide where HEADGATE_SIGNING_KEY is set, such as in the workflow "approve"',
    });
  }
  const content = Buffer.from(JSON.stringify({ payload: payload.toString('base64'), signature }));
  await putArtifact(placeOf(registry), { artifactType: approvalType, content, tag: revision }, signal);
}

/** What counts of what was said about a revision: by an approver, about it alone, and signed where that is asked for. */
export async function readApproval(
  { app, revision }: Pick<Approval, 'app' | 'revision'>,
  { registry, approvers, verifyKey }: Approvals,
  signal: AbortSignal,
): Promise<Approval | undefined> {
  const found = await getArtifact(placeOf(registry), revision, signal);
  const { payload, signature } = parse(found?.content);
  const bytes = Buffer.from(payload, 'base64');
  const signed = { of: 'approval', digest: digestOf(bytes) } as const;
  if (verifyKey !== undefined && !isSignedBy(signed, signature, verifyKey)) return undefined;
  const approval = parse(bytes) as Partial<Approval>;
  const counts = approval.app === app && approval.revision === revision && approvers.includes(approval.by ?? '');
  return counts ? (approval as Approval) : undefined; // Written by `recordApproval`, as its three names say.
}

function placeOf(registry: string) {
  return parseRepository(`${registry}/approvals`);
}

/** Whoever can write to the registry can write anything there: what cannot be read says nothing. */
function parse(content: Buffer | undefined): { readonly payload: string; readonly signature: string } {
  const nothing = { payload: '', signature: '' };
  if (content === undefined) return nothing;
  try {
    return { ...nothing, ...(JSON.parse(content.toString('utf8')) as object) };
  } catch {
    return nothing;
  }
}
