import type { KeyObject } from 'node:crypto';
import { HeadgateError } from '@headgate/rollout';
import type { Pinned } from '../registry/client.ts';
import { attach, attached } from './attach.ts';
import { isSignedBy, type Signed, signDigest } from './signature.ts';

const signatureType = 'application/vnd.headgate.signature.v1';

/** Signs the image where it lies. Repeating changes nothing: Ed25519 gives equal bytes for equal ones. */
export async function vouch(image: Pinned, key: KeyObject, signal: AbortSignal): Promise<void> {
  const content = Buffer.from(signDigest(ofImage(image), key));
  await attach(image, { artifactType: signatureType, content }, signal);
}

/** Whether one of the image's signatures is by this key. */
export async function isVouchedFor(image: Pinned, key: KeyObject, signal: AbortSignal): Promise<boolean> {
  const signatures = await attached(image, signatureType, signal);
  return signatures.some((signature) => isSignedBy(ofImage(image), signature.toString('utf8'), key));
}

function ofImage({ digest }: Pinned): Signed {
  return { of: 'image', digest };
}

/** @throws {HeadgateError} `UNSIGNED` that names every image nobody vouches for */
export async function requireVouched(images: readonly Pinned[], key: KeyObject, signal: AbortSignal): Promise<void> {
  const known = await Promise.all(images.map((image) => isVouchedFor(image, key, signal)));
  const unknown = images.filter((_, index) => !known[index]).map(({ repository, digest }) => `${repository}@${digest}`);
  if (unknown.length === 0) return;
  throw new HeadgateError(
    'UNSIGNED',
    `Cannot release as each image must be signed by the key in HEADGATE_VERIFY_KEY: current value is "${unknown.join(', ')}"`,
    {
      hint: 'publish the images with `headgate run publish` and HEADGATE_SIGNING_KEY',
    },
  );
}
