import type { ReleaseRequest } from '../policy/release.ts';
import type { Revision } from '../revision.ts';
import type { ReleaseSpec } from '../spec.ts';

/** A revision whose id is made of its name, so that plays can be read. */
export function revisionNamed(name: string): Revision {
  const service = { replicas: 2, env: {}, pulls: [] };
  return {
    id: name.padEnd(8, '0'),
    digests: {},
    repositories: {},
    commit: undefined,
    template: {
      services: {
        proxy: { ...service, port: 8080, probe: '/' },
        rating: { ...service, port: undefined, probe: undefined, pulls: ['get.ratings'] },
      },
    },
  };
}

/** What a person asks for, without a commit and with a reason, and nobody insists. */
export function orderOf(revision: Revision): ReleaseRequest {
  return {
    revision,
    actor: 'kim@desk',
    reason: 'a merge',
    ancestry: 'unknown',
    insist: false,
    hotfix: false,
    deadLetterBacklog: false,
    probe: 'p',
  };
}

export const aSpec: ReleaseSpec = {
  strategy: 'canary',
  steps: [5, 25, 50],
  pins: [],
  bakeMs: 180_000,
  tolerate: 'default',
  latency: 'promote',
  metrics: {},
  synthetic: undefined,
  deadlineMs: 7_200_000,
  atDeadline: 'hold',
  watchMs: 600_000,
  keepWarmMs: 1_800_000,
  onNewCommit: 'wait',
  approve: false,
  connectionGraceMs: 10_000,
  migrate: undefined,
};
