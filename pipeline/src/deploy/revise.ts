import { randomUUID } from 'node:crypto';
import {
  digest,
  type Handled,
  type Hands,
  HeadgateError,
  handOver,
  type LaneTemplate,
  makeRevision,
  type ReleaseRequest,
  type Revision,
  readHead,
  type Spec,
  startRelease,
} from '@headgate/rollout';
import { parsePinned } from '../registry/client.ts';
import { readVerifyKey } from '../sign/signature.ts';
import { requireVouched } from '../sign/vouch.ts';

export type Wanted = Pick<ReleaseRequest, 'ancestry' | 'reason' | 'insist' | 'hotfix' | 'deadLetterBacklog'> & {
  readonly commit: string | undefined;
  /** What `renderTemplate` made of the app. */
  readonly template: LaneTemplate;
  /** PEM of the key that each image must be signed by; `undefined`: any image will do, and that is said. */
  readonly verifyKey: string | undefined;
};

/** Completes named images from the live lane (never from a candidate's leftovers). @throws {HeadgateError} `UNSIGNED`, `REFUSED`, `USAGE` */
export async function completeRevision(
  hands: Hands,
  images: Readonly<Record<string, string>>,
  wanted: Pick<Wanted, 'template' | 'commit' | 'verifyKey'>,
): Promise<Revision> {
  await requireSignatures(Object.values(images), wanted.verifyKey, hands);
  const head = await readHead(hands.ports.journal, hands.spec.app, hands.signal);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  return revise(hands.spec, images, live, wanted);
}

export async function releaseImages(
  hands: Hands,
  images: Readonly<Record<string, string>>,
  { handsOver = false, ...wanted }: Wanted & { readonly handsOver?: boolean },
): Promise<Handled> {
  const revision = await completeRevision(hands, images, wanted);
  const { ancestry, reason, insist, hotfix, deadLetterBacklog } = wanted;
  return (handsOver ? handOver : startRelease)(hands, {
    revision,
    unnamed: Object.keys(revision.digests).filter((service) => images[service] === undefined),
    actor: hands.actor,
    ancestry,
    reason,
    insist,
    hotfix,
    deadLetterBacklog,
    probe: randomUUID(),
  });
}

/** Says so where nothing can be checked. @throws {HeadgateError} `UNSIGNED`, `REFUSED` */
export async function requireSignatures(
  images: readonly string[],
  key: string | undefined,
  { say, signal }: Pick<Hands, 'say' | 'signal'>,
): Promise<void> {
  const pinned = images.map(parsePinned);
  if (key === undefined || key === '') return say('signatures: not checked, as HEADGATE_VERIFY_KEY is not set');
  await requireVouched(pinned, readVerifyKey(key), signal);
}

/** @throws {HeadgateError}`USAGE` for an unknown service or a service that nothing names */
export function revise(
  spec: Spec,
  images: Readonly<Record<string, string>>,
  live: Revision | undefined,
  { template, commit }: Pick<Wanted, 'template' | 'commit'>,
): Revision {
  for (const name of Object.keys(images)) {
    if (spec.services[name] === undefined) {
      throw new HeadgateError('USAGE', `Cannot release service "${name}" as headgate.yaml has none of that name`, {
        hint: `it has these: ${Object.keys(spec.services).join(', ')}`,
      });
    }
  }
  const parts = Object.keys(spec.services).map((name) => [name, partOf(name, images[name], live)] as const);
  return makeRevision({
    digests: Object.fromEntries(parts.map(([name, part]) => [name, part.digest])),
    repositories: Object.fromEntries(parts.map(([name, part]) => [name, part.repository])),
    template,
    commit,
  });
}

function partOf(name: string, image: string | undefined, live: Revision | undefined) {
  if (image !== undefined) {
    const at = image.indexOf('@');
    return { repository: image.slice(0, at), digest: digest(image.slice(at + 1)) };
  }
  const [liveDigest, repository] = [live?.digests[name], live?.repositories[name]];
  if (liveDigest === undefined || repository === undefined) {
    throw new HeadgateError(
      'USAGE',
      `Cannot release as nothing names an image of service "${name}" and no live lane has one`,
      { hint: `add ${name}=<host/name@sha256:…>` },
    );
  }
  return { repository, digest: liveDigest };
}
