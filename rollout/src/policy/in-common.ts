import { canonicalJson, type Revision } from '../revision.ts';
import { newestIn } from './newest.ts';
import type { Head } from './release.ts';

const namesMax = 8;

/**
 * A warning to whoever releases the next revision after one that was rolled back: what it has of that one and live has not, as the bad
 * part may be among it. `undefined`: nothing, or no release was rolled back last.
 */
export function warningOf(head: Head, next: Revision): string | undefined {
  const bad = lastRolledBack(head);
  if (bad === undefined || bad.revision.id === next.id) return undefined;
  const live = partsOf(head.live === undefined ? undefined : head.lanes[head.live]);
  const suspects = partsOf(bad.revision);
  const names = [...partsOf(next)]
    .filter(([name, value]) => suspects.get(name) === value && live.get(name) !== value)
    .map(([name]) => name);
  if (names.length === 0) return undefined;
  const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : '';
  return `warning: it shares with revision ${bad.revision.id.slice(0, 8)}, which release ${bad.release} rolled back, what live does not have: ${names.slice(0, namesMax).join(', ')}${more}`;
}

/** Only what came last: a revision that was promoted since is no suspect. */
function lastRolledBack(head: Head): { readonly revision: Revision; readonly release: number } | undefined {
  const last = head.quarantined.at(-1);
  if (last === undefined || last.release !== newestIn(head)) return undefined;
  const known = head.release === undefined ? head.revisions : [...head.revisions, head.release.revision];
  const revision = known.find(({ id }) => id === last.revision);
  return revision && { revision, release: last.release };
}

/** Everything that makes a revision what it is, by where it stands; nobody is shown the values. */
function partsOf(revision: Revision | undefined): ReadonlyMap<string, string> {
  if (revision === undefined) return new Map();
  const images = Object.entries(revision.digests).map(([service, digest]) => [`${service}.image`, digest] as const);
  return new Map([...images, ...leavesOf(revision.template.services)]);
}

function leavesOf(value: unknown, path: readonly string[] = []): readonly (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [[path.join('.'), canonicalJson(value ?? null)]];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}
