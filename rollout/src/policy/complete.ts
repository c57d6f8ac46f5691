import { makeRevision } from '../revision.ts';
import type { Head, ReleaseRequest } from './release.ts';

/**
 * Services that nobody named are as live is when the release begins: what was live when it was ordered may have been replaced, or rolled
 * back, while it waited.
 */
export function completed({ live, lanes }: Head, request: ReleaseRequest): ReleaseRequest {
  const { revision, unnamed = [] } = request;
  const present = live === undefined ? undefined : lanes[live];
  if (present === undefined || unnamed.length === 0) return request;
  const kept = <T>(parts: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(parts).filter(([service]) => unnamed.includes(service)));
  const { digests, repositories, template, commit } = revision;
  const parts = {
    digests: { ...digests, ...kept(present.digests) },
    repositories: { ...repositories, ...kept(present.repositories) },
  };
  return { ...request, revision: makeRevision({ ...parts, template, commit }) };
}
