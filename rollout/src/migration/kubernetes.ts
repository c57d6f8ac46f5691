import type { KubeObject } from '../platform/kubernetes/client.ts';
import { type Condition, conditionOf } from '../platform/kubernetes/conditions.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { marks } from '../platform/kubernetes/lane-names.ts';
import { makeConfigMaps } from '../workload/kubernetes/config.ts';
import { logLinesOf } from '../workload/kubernetes/failure.ts';
import type { Pod } from '../workload/kubernetes/objects.ts';
import { podTemplateOf } from '../workload/kubernetes/pod.ts';
import type { KubernetesTarget } from '../workload/kubernetes.ts';
import { saidAsWorkload } from '../workload/said.ts';
import {
  contentOf,
  failureText,
  type Migration,
  type MigrationSeen,
  type Migrations,
  migrationMaxMs,
  runsAs,
} from './migration.ts';

type Job = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

const container = 'migrate';

/** Jobs in the app's namespace. One that is done stays as the record that it was; pods of none are the lanes'. */
export function openKubernetesMigrations(target: KubernetesTarget): Migrations {
  const { client, app } = target;
  const nameOf = (migration: Migration) => `${app}-migrate-${contentOf(migration).slice(0, 10)}`;
  const observe = async (migration: Migration, signal: AbortSignal): Promise<MigrationSeen & { uid?: string }> => {
    const job = await client.get<Job>(kinds.Job, nameOf(migration), signal);
    if (job === undefined) return { kind: 'absent' };
    const has = (type: string) => conditionOf(job.status?.conditions, type)?.status === 'True';
    if (has('Complete')) return { kind: 'done' };
    const { uid, name, annotations } = job.metadata;
    const isOld = annotations?.[marks.release] !== String(migration.release);
    if (has('Failed') && isOld) return { kind: 'absent', ...(uid !== undefined && { uid }) };
    const pod = (
      await client.list<Pod>(kinds.Pod, { labels: `batch.kubernetes.io/job-name=${name}` }, signal)
    ).items.at(-1);
    const waits = pod?.status?.containerStatuses?.[0]?.state?.waiting;
    const waiting = waits?.reason && [waits.reason, waits.message].filter(Boolean).join(': ');
    if (!has('Failed')) return { kind: 'running', text: waiting };
    const lines = pod === undefined ? [] : await logLinesOf(client, pod, { container, previous: false }, signal);
    const { message = 'it failed' } = conditionOf(job.status?.conditions, 'Failed') ?? {};
    return { kind: 'failed', text: failureText(waiting ?? message, lines) };
  };
  return {
    run: (migration, signal) =>
      saidAsWorkload(signal, async () => {
        const seen = await observe(migration, signal);
        if (seen.kind !== 'absent') return;
        // Whoever releases again means that too. Its name is free when it has gone; until then this is asked for again.
        if (seen.uid !== undefined) return client.remove(kinds.Job, nameOf(migration), signal, seen.uid);
        const [service, template] = runsAs(migration.revision.template);
        await makeConfigMaps({ client, app, lane: migration.lane, service }, template, signal);
        await client.create(kinds.Job, jobOf(target, nameOf(migration), migration), signal); // Or another driver has.
      }),
    observe: (migration, signal) => saidAsWorkload(signal, () => observe(migration, signal)),
  };
}

/** What it runs as has the database's address; what that has beside it, and is asked for as long as it runs, is left out. */
function jobOf({ app, existing, natsUrl }: KubernetesTarget, name: string, migration: Migration): KubeObject {
  const { lane, revision, image, command, release } = migration;
  const [service, template] = runsAs(migration.revision.template);
  const { spec } = podTemplateOf({ app, existing, lane, service, revision, template }, natsUrl);
  const { topologySpreadConstraints: _spread, initContainers: _before, containers = [], ...pod } = spec ?? {};
  const { ports: _ports, lifecycle: _end, args: _args, ...main } = { ...containers[0] };
  const { readinessProbe: _ready, livenessProbe: _live, startupProbe: _up, ...rest } = main;
  const only = { ...rest, name: container, image, command };
  const job = {
    metadata: {
      name,
      labels: { [marks.app]: app },
      annotations: { [marks.release]: String(release), 'headgate.dev/content': contentOf(migration) },
    },
    spec: {
      backoffLimit: 0, // What fails is told at once.
      activeDeadlineSeconds: migrationMaxMs / 1_000,
      template: { spec: { ...pod, restartPolicy: 'Never', containers: [only] } },
    },
  };
  return job;
}
