import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { podRepository, pushFakeService } from '../platform/kubernetes/pod-image.rig.ts';
import type { PodTemplate } from '../revision.ts';
import { podRevision, startKubernetesRig } from '../workload/kubernetes.rig.ts';
import { openKubernetesMigrations } from './kubernetes.ts';
import { describeMigrations } from './migration.contract.ts';
import { contentOf, type Migration, type MigrationSeen } from './migration.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const programs = {
  sound: 'console.log("began", process.env.NATS_URL.slice(0, 7), process.env.SERVICE_STREAM_NAME)',
  failing: 'console.error("no such table"); process.exit(4)',
};
const commandOf = (program: string) => ['/usr/local/bin/node', '-e', program];

// Jobs need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

async function startRig() {
  const rig = await startKubernetesRig();
  const { client } = rig;
  const migrations = openKubernetesMigrations({
    client,
    app: 'ratings',
    existing: undefined,
    natsUrl: 'nats://nats:4222',
    reach: 'pod',
    fence: () => 1,
  });
  const podsOf = async (name: string) =>
    (await client.list<KubeObject>(kinds.Pod, { labels: `batch.kubernetes.io/job-name=${name}` }, signal())).items;
  return { rig, migrations, podsOf };
}

withPods('with pods', () => {
  describeMigrations('kubernetes', async () => {
    const { rig, migrations, podsOf } = await startRig();
    const [image, revision] = [`${podRepository()}@${await pushFakeService('sound')}`, await podRevision()];
    return {
      migrations,
      make: (behaviour, release) => ({
        image,
        command: commandOf(programs[behaviour]),
        release,
        revision,
        lane: 'green',
      }),
      async runs(migration) {
        return (await podsOf(`ratings-migrate-${contentOf(migration).slice(0, 10)}`)).length;
      },
      [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
    };
  });

  test('a migration runs with what the worker has, none of its lane is one of its pods, and an image that is not there is told', async () => {
    const { rig, migrations } = await startRig();
    await using _ = rig;
    const pod: PodTemplate = {
      spec: {
        containers: [
          { name: 'rating', envFrom: [{ configMapRef: { name: 'rating-$(LANE)-1' } }] },
          { name: 'beside', image: 'nobody/has:it' },
        ],
      },
    };
    const configMaps = [{ name: 'rating-$(LANE)-1', data: { TABLE: 'of $(LANE)' } }];
    const revision = await podRevision({ pod, configMaps });
    const image = `${podRepository()}@${await pushFakeService('sound')}`;
    const reads: Migration = {
      image,
      command: commandOf('if (process.env.TABLE !== "of green") process.exit(5)'),
      release: 1,
      revision,
      lane: 'green',
    };
    const missing = { ...reads, image: image.replace(/.{8}$/, '00000000') };
    const until = async (migration: Migration, holds: (seen: MigrationSeen) => boolean) => {
      await migrations.run(migration, signal());
      for (;;) {
        const seen = await migrations.observe(migration, signal());
        if (holds(seen)) return seen;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };

    const done = await until(reads, ({ kind }) => kind === 'done' || kind === 'failed');
    const waits = await until(missing, (seen) => seen.kind === 'running' && /Pull/.test(seen.text ?? ''));

    expect(done).toEqual({ kind: 'done' });
    expect(waits).toMatchObject({ text: expect.stringMatching(/^(ErrImagePull|ImagePullBackOff): /) });
    expect(await rig.pods('green')).toEqual([]);
  }, 60_000);
});
