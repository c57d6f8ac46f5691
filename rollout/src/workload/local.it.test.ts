import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSupervisorClient } from '../platform/local/supervisor/client.ts';
import { resolveFake } from '../platform/local/supervisor/fake-service.rig.ts';
import { placesOf } from '../platform/local/supervisor/folder.ts';
import { runSupervisor } from '../platform/local/supervisor/run.ts';
import { openLocalWorkload } from './local.ts';
import { aRevision } from './revision.rig.ts';
import { describeWorkload, type WorkloadRig } from './workload.contract.ts';

describeWorkload('local', async (): Promise<WorkloadRig> => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-local-'));
  const places = placesOf(folder);
  const stop = new AbortController();
  const running = runSupervisor(
    { app: 'ratings', places, port: 0, postgres: false, resolveImage: resolveFake },
    stop.signal,
  );
  const client = openSupervisorClient(places.socket);
  const starting = () =>
    client.info(AbortSignal.timeout(1_000)).then(
      ({ kind }) => kind !== 'ready',
      () => true,
    );
  while (await starting()) await new Promise((resolve) => setTimeout(resolve, 25));
  return {
    workload: openLocalWorkload(client),
    sound: [aRevision({ commit: 'a' }), aRevision({ commit: 'b' })],
    crashing: aRevision({ rating: 'crashing' }),
    imageless: aRevision({ rating: 'imageless' }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await rm(folder, { recursive: true });
    },
  };
});
