/** Reading and writing the objects that carry weights, whatever their kind. */
import { HeadgateError } from '../errors.ts';
import type { KubeClient, KubeObject, PatchStep } from '../platform/kubernetes/client.ts';
import type { Kind } from '../platform/kubernetes/kinds.ts';

export type Place = { readonly client: KubeClient; readonly kind: Kind; readonly name: string };

/** @throws {HeadgateError} `TRAFFIC_UNREACHABLE` if there is none; `noun` is its word in headgate.yaml */
export async function readRouteObject<T extends KubeObject>(
  { client, kind, name }: Place,
  noun: string,
  signal: AbortSignal,
): Promise<T> {
  const found = await client.get<T>(kind, name, signal);
  if (found !== undefined) return found;
  throw new HeadgateError(
    'TRAFFIC_UNREACHABLE',
    `Cannot read weights as there must be an ${kind.kind}: current value is "${client.namespace}/${name}"`,
    { hint: `run \`headgate bootstrap\` to make it, or name the ${noun} in headgate.yaml` },
  );
}

/** `refused` makes the error of a clear no. What was deleted since it was read is a conflict: the next reading says so. */
export async function patchRouteObject(
  { client, kind, name }: Place,
  steps: readonly PatchStep[],
  refused: (found: string, cause: unknown) => HeadgateError,
  signal: AbortSignal,
): Promise<'written' | 'conflict'> {
  try {
    const written = await client.patch(kind, name, steps, signal);
    return written.kind === 'missing' ? 'conflict' : written.kind;
  } catch (cause) {
    const isNo = cause instanceof HeadgateError && cause.code === 'CLUSTER_REFUSED';
    throw isNo ? refused(String(cause), cause) : cause;
  }
}
