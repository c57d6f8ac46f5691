import { createPublicKey } from 'node:crypto';
import { parsePinned } from '../registry/client.ts';
import { attach, attached } from '../sign/attach.ts';
import { requireKept } from '../sign/kept.ts';
import { sbomOf, sbomType } from '../sign/sbom.ts';
import { readSigningKey } from '../sign/signature.ts';
import { isVouchedFor, vouch } from '../sign/vouch.ts';
import { step } from '../step.ts';
import type { Publish } from './image-steps.ts';
import type { Place } from './place.ts';

/** Signature and contents, beside each image: who deploys asks for the first, who audits for the second. */
export function signStep(place: Place, publish: Publish, { secret: name }: { readonly secret: string }) {
  const images = (out: { readonly publish: Readonly<Record<string, string>> }) =>
    Object.entries(out.publish).map(([service, reference]) => ({ service, ...parsePinned(reference) }));
  return step('sign', {
    kind: 'effect',
    needs: [publish],
    observe: async ({ out, secret, signal }) => {
      const key = createPublicKey(readSigningKey(secret(name)));
      const done = await Promise.all(
        images(out).map(
          async (image) =>
            (await isVouchedFor(image, key, signal)) && (await attached(image, sbomType, signal)).length > 0,
        ),
      );
      const open = done.filter((one) => !one).length;
      return open === 0 ? { kind: 'done', values: undefined } : { kind: 'absent', diff: `sign ${open} images` };
    },
    run: async ({ $, out, secret, log, signal }) => {
      const key = readSigningKey(secret(name));
      for (const image of images(out)) {
        const source = place.spec.services[image.service]?.source ?? image.service;
        await attach(image, { artifactType: sbomType, content: await sbomOf($, { ...image, source }) }, signal);
        await vouch(image, key, signal); // Last: what is signed has all that belongs to it.
        await requireKept(image, createPublicKey(key), signal);
        log(`signed ${image.repository}@${image.digest}`);
      }
    },
  });
}
