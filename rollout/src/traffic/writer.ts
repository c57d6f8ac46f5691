import type { Metadata } from '../platform/kubernetes/client.ts';

/** By this name every write of Headgate is known. */
export const fieldManager = 'headgate';

export type ManagedFields = {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: unknown;
};

/** Metadata with all that the API server writes down about who wrote what. */
export type WrittenMetadata = Omit<Metadata, 'managedFields'> & { readonly managedFields?: readonly ManagedFields[] };

/**
 * Who wrote a field last, by managedFields: of an atomic list only as a whole. `undefined` if nobody is named there.
 * @param path such as `['f:spec', 'f:rules']`
 * Who shares a field with Headgate wrote the same: then it is Headgate.
 */
export function writerOf(managed: readonly ManagedFields[] | undefined, path: readonly string[]): string | undefined {
  const owners = (managed ?? []).filter(
    ({ fieldsV1, subresource }) => subresource === undefined && owns(fieldsV1, path),
  );
  if (owners.some(({ manager }) => manager === fieldManager)) return fieldManager;
  const [newest] = owners.toSorted((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
  return newest?.manager;
}

function owns(fields: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  if (typeof fields !== 'object' || fields === null || !(key in fields)) return false;
  return owns((fields as Readonly<Record<string, unknown>>)[key], rest);
}
