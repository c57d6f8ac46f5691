import { canonicalJson, type Digest } from '@headgate/rollout';
import type { Shell } from '../run/shell.ts';

export const sbomType = 'application/vnd.cyclonedx+json';

/**
 * What is in a service's image, as CycloneDX from `npm sbom`. Two runs differ in a random serial, a time, and the folder that
 * npm takes for the name of the whole; all are made functions of the image, so that equal images have equal documents.
 */
export async function sbomOf($: Shell, { source, digest }: { source: string; digest: Digest }): Promise<Buffer> {
  const { stdout } = await $`npm sbom --sbom-format cyclonedx --omit dev --workspace ${source}`;
  return normalized(stdout, digest);
}

type Sbom = {
  readonly metadata: { readonly component?: { readonly 'bom-ref'?: string } };
  readonly dependencies?: readonly { readonly ref: string }[];
  readonly serialNumber?: string;
};

/** `text` is what npm wrote. */
export function normalized(text: string, digest: Digest): Buffer {
  const { serialNumber: _, metadata, dependencies = [], ...sbom } = JSON.parse(text) as Sbom;
  const whole = metadata.component?.['bom-ref'];
  return Buffer.from(
    canonicalJson({
      ...sbom,
      dependencies: dependencies.filter(({ ref }) => ref !== whole),
      serialNumber: `urn:uuid:${uuidOf(digest)}`,
      metadata: {
        timestamp: '1970-01-01T00:00:00.000Z',
        component: { type: 'container', name: digest, version: digest, 'bom-ref': digest },
      },
    }),
  );
}

/** In the shape of RFC 9562, version 8: made of other data. */
function uuidOf(digest: Digest): string {
  const hex = digest.slice('sha256:'.length);
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
