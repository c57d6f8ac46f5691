/** One field of an object that is not as described, named as `spec.ports[0].port`. */
export type LaneDifference = { readonly field: string; readonly wanted: unknown; readonly current: unknown };

/** Compares what is described with what there is. Fields that are not described are the cluster's defaults or the user's own. */
export function laneDifferences(wanted: object, current: object): readonly LaneDifference[] {
  return compare(wanted, current, '');
}

function compare(wanted: unknown, current: unknown, field: string): readonly LaneDifference[] {
  if (Array.isArray(wanted) && Array.isArray(current) && wanted.length === current.length)
    return wanted.flatMap((value, i) => compare(value, current[i], `${field}[${i}]`));
  if (isMap(wanted) && (isMap(current) || current === undefined))
    return Object.keys(wanted).flatMap((key) =>
      compare(wanted[key], current?.[key], field === '' ? key : `${field}.${key}`),
    );
  return wanted === current ? [] : [{ field, wanted, current }];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
