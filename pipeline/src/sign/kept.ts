import type { KeyObject } from 'node:crypto';
import { HeadgateError } from '@headgate/rollout';
import type { Pinned } from '../registry/client.ts';
import { attached } from './attach.ts';
import { sbomType } from './sbom.ts';
import { isVouchedFor } from './vouch.ts';

/** A registry takes equal bytes for sent that it has already, also when its storage has damaged them. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function requireKept(image: Pinned, key: KeyObject, signal: AbortSignal): Promise<void> {
  const signed = await isVouchedFor(image, key, signal);
  const described = (await attached(image, sbomType, signal)).length > 0;
  if (signed && described) return;
  throw new HeadgateError(
    'IMAGE_CORRUPT',
    `Cannot sign "${image.repository}@${image.digest}" as the registry must give back what it was sent: its ${signed ? 'list of contents' : 'signature'} is damaged there`,
    { hint: 'mend the storage of the registry, or publish under another HEADGATE_REGISTRY' },
  );
}
