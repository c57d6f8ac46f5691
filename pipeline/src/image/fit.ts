/** Whether lanes can run what a registry has under a digest: asked before a release, as in one it would cost a way back. */
import { type ErrorCode, HeadgateError, isHeadgateError } from '@headgate/rollout';
import { getDocument, parsePinned } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { type Document, indexTypes, manifestTypes } from './from-registry.ts';
import { digestOf, type Platform } from './layout.ts';

const silent: ReadonlySet<ErrorCode> = new Set(['REGISTRY_REFUSED', 'REGISTRY_UNREACHABLE']);
const configTypes = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];

/** `machine`: what lanes run on; `undefined`: nodes of a cluster, whose kinds its roles do not see. `say`: see `requireFit`. */
type Asking = { readonly machine: Platform | undefined; readonly say: (line: string) => void };

/**
 * A registry that nodes of a cluster reach and this machine does not keeps nobody from a release: `say` hears that nothing could be told.
 * @param images by service, each pinned
 * @throws {HeadgateError} `REFUSED` with every image and its rule; where lanes run on this machine, `REGISTRY_REFUSED`, `REGISTRY_UNREACHABLE`
 */
export async function requireFit(
  images: Readonly<Record<string, string>>,
  { machine, say }: Asking,
  signal: AbortSignal,
): Promise<void> {
  const untold = (error: unknown) => {
    if (machine !== undefined || !isHeadgateError(error) || !silent.has(error.code)) throw error;
    say(`${error.message}: whether nodes can run it, they will tell`);
    return undefined;
  };
  const lines = await Promise.all(
    Object.entries(images).map(async ([service, image]) => {
      const why = await unfit(image, machine, signal).catch(untold);
      return why === undefined ? [] : [`Cannot release ${image} as service "${service}" as ${why}`];
    }),
  );
  if (lines.flat().length === 0) return;
  throw new HeadgateError('REFUSED', lines.flat().join('\n'), {
    hint: 'name images as `headgate run publish` prints them; nothing was changed',
  });
}

async function unfit(image: string, where: Platform | undefined, signal: AbortSignal): Promise<string | undefined> {
  const { repository, digest: of } = parsePinned(image);
  const address = parseRepository(repository);
  const bytes = await getDocument(address, of, [...manifestTypes, ...indexTypes].join(', '), signal);
  if (bytes === undefined) return `the registry ${address.origin} must have it: current value is "404"`;
  const found = digestOf(bytes);
  if (found !== of) return `its bytes must have this digest: current value is "${found}"`;
  return unfitFor(JSON.parse(bytes.toString('utf8')) as Document, where); // Its digest was the proof.
}

/** The rule that it breaks, and how. */
function unfitFor({ manifests, config, mediaType }: Document, where: Platform | undefined): string | undefined {
  if (manifests === undefined) {
    const type = config?.mediaType ?? mediaType ?? 'absent';
    return configTypes.includes(type) ? undefined : `its config must be that of an image: current value is "${type}"`;
  }
  const named = manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]));
  const fits = ({ os, architecture }: Platform) =>
    os === 'linux' && (where === undefined || architecture === where.architecture);
  if (named.some(fits)) return undefined;
  const kinds = named.map(({ os, architecture }) => `${os}/${architecture}`).join(', ');
  return `its index must have an image for linux${where === undefined ? '' : `/${where.architecture}`}: current value is "${kinds}"`;
}
