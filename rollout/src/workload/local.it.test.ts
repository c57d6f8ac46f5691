import { superviseHere } from '../platform/local/supervisor/supervisor.rig.ts';
import { openLocalWorkload } from './local.ts';
import { aRevision } from './revision.rig.ts';
import { describeWorkload } from './workload.contract.ts';

describeWorkload('local', async () => {
  const rig = await superviseHere();
  return {
    workload: openLocalWorkload(rig.client),
    sound: [aRevision({ commit: 'a' }), aRevision({ commit: 'b' })],
    crashing: aRevision({ rating: 'crashing' }),
    imageless: aRevision({ rating: 'imageless' }),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
});
