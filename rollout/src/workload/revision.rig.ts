import { createHash } from 'node:crypto';
import { digest, makeRevision, type Revision } from '../revision.ts';

/** A revision of an app with a proxy and a worker. The digest of each is made from the text that names its behaviour. */
export function aRevision({ proxy = 'sound', rating = 'sound', commit = '' } = {}): Revision {
  return makeRevision({
    digests: { proxy: digestOf(proxy), rating: digestOf(rating) },
    repositories: { proxy: 'localhost:1/proxy', rating: 'localhost:1/rating' },
    template: {
      services: {
        proxy: { replicas: 1, env: { COMMIT: commit }, port: 8080, pulls: [], probe: '/probe' },
        rating: { replicas: 1, env: {}, port: undefined, pulls: ['get.ratings'], probe: undefined },
      },
    },
    commit: undefined,
  });
}

export function digestOf(behaviour: string): Revision['digests'][string] {
  return digest(`sha256:${createHash('sha256').update(behaviour).digest('hex')}`);
}
