import { HeadgateError } from '../../errors.ts';
import type { KubeClient, KubeObject } from '../../platform/kubernetes/client.ts';
import { fenceOf, refuseReplaced } from '../../platform/kubernetes/fence.ts';
import type { Kind } from '../../platform/kubernetes/kinds.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';

export type Writer = {
  readonly client: KubeClient;
  /** The driver's number in the journal; every write carries it, but one that only shows something. */
  readonly fence: () => number;
};

type Change<T> = {
  readonly kind: Kind;
  readonly name: string;
  readonly alter: (current: T) => T;
  /** It leaves no number: an annotation would be a new generation of a Deployment, which a label is not. */
  readonly isShownOnly?: boolean;
};

const writesMax = 5;

/**
 * Changes one object over the version that was read after its fence was checked, and again when somebody else was quicker. Nothing
 * is written when it is so already and carries our number.
 * @returns `undefined` if there is no such object
 * @throws {HeadgateError} `LOCK_HELD` if a newer driver has written it
 */
export async function change<T extends KubeObject>(
  { client, fence }: Writer,
  { kind, name, alter, isShownOnly = false }: Change<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (let n = 0; n < writesMax; n++) {
    const current = await client.get<T>(kind, name, signal);
    if (current === undefined) return undefined;
    const number = fence();
    refuseReplaced(`${kind.kind} ${client.namespace}/${name}`, fenceOf(current), number);
    const altered = alter(current);
    const wanted = isShownOnly ? altered : annotated(altered, { [marks.fence]: String(number) });
    if (JSON.stringify(wanted) === JSON.stringify(current)) return current;
    const written = await client.replace<T>(kind, wanted, signal);
    if (written.kind === 'missing') return undefined;
    if (written.kind === 'written') return written.object;
  }
  throw new HeadgateError(
    'WORKLOAD_UNREACHABLE',
    `Cannot change ${kind.kind} ${client.namespace}/${name} as somebody else wrote it ${writesMax} times in between`,
    { hint: `look who does: \`kubectl get ${kind.plural} ${name} -o yaml --show-managed-fields\`` },
  );
}

/** `undefined` takes an annotation away. */
export function annotated<T extends KubeObject>(
  object: T,
  annotations: Readonly<Record<string, string | undefined>>,
): T {
  const all = Object.entries({ ...object.metadata.annotations, ...annotations });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(kept) } };
}
