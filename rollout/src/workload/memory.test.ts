import { openMemoryWorkload } from './memory.ts';
import { aRevision, digestOf } from './revision.rig.ts';
import { describeWorkload } from './workload.contract.ts';
import type { Failure } from './workload.ts';

const crash: Failure = { reason: 'crash', message: 'ended with exit code 3', logLines: ['no table'] };
const image: Failure = { reason: 'image', message: 'not there', logLines: [] };
const failures = new Map([
  [digestOf('crashing'), crash],
  [digestOf('imageless'), image],
]);

describeWorkload('memory', async () => ({
  workload: openMemoryWorkload({ failureOf: (digest) => failures.get(digest as ReturnType<typeof digestOf>) }),
  sound: [aRevision({ commit: 'a' }), aRevision({ commit: 'b' })],
  crashing: aRevision({ rating: 'crashing' }),
  imageless: aRevision({ rating: 'imageless' }),
  [Symbol.asyncDispose]: async () => {},
}));
