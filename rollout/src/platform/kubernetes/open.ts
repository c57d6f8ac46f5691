import { invariant } from '../../errors.ts';
import { openKubernetesJournal } from '../../journal/kubernetes.ts';
import { openPodProcesses } from '../../metrics/pod-processes.ts';
import { openKubernetesMigrations } from '../../migration/kubernetes.ts';
import { openJetStreamQueue } from '../../queue/jetstream.ts';
import type { Spec } from '../../spec.ts';
import { type KubernetesTarget, openKubernetesWorkload } from '../../workload/kubernetes.ts';
import type { Platform } from '../platform.ts';
import type { KubeClient } from './client.ts';
import { openEvents } from './events.ts';
import { adminPortBeside, laneSelector, marks } from './lane-names.ts';
import { queueAddress } from './queue-address.ts';
import { remembering } from './remembering.ts';
import { isRouted } from './routed.ts';
import { openRouting } from './routing.ts';
import { openSender } from './send-through.ts';

/**
 * All ports of an app on a cluster; asks nobody anything before it is asked. The client stays the caller's, who closes it. Pods and router
 * are asked at their own addresses from inside of the cluster, and from a machine that `HEADGATE_POD_NETWORK=1` says is routed to it; else
 * through the API server.
 *
 * @param untold hears of an Event that could not be written
 */
export function openKubernetesPlatform(
  spec: Spec,
  client: KubeClient,
  { env = process.env, untold }: { readonly env?: NodeJS.ProcessEnv; readonly untold: (error: unknown) => void },
): Platform {
  const { app, services, queue: queued, kubernetes } = spec;
  invariant(kubernetes !== undefined, `Cannot open ${app} on a cluster as its spec names none`);
  const isDirect = isRouted(env);
  const way = isDirect ? 'direct' : 'proxy';
  const [proxy, served] = Object.entries(services).find(([, service]) => service.port !== undefined) ?? [];
  const port = adminPortBeside(served?.port);
  const existing = queued?.existing;
  let driver = 0;
  const fence = () => driver;
  const proxies = { labels: `${marks.app}=${app},${marks.service}=${proxy}`, port };
  const queue =
    queued && openJetStreamQueue({ app, services, existing, url: () => queueAddress(queued.url, client, env) });
  const target: KubernetesTarget = {
    client,
    app,
    fence,
    existing,
    natsUrl: queued?.url,
    reach: isDirect ? 'pod' : 'api-server',
  };
  const herald = openEvents(client, app, untold);
  return {
    ...openRouting({ app, kubernetes, client, fence, way, proxies }),
    processes: openPodProcesses({
      app,
      existing,
      client: remembering(client),
      port,
      way,
      labelsOf: (lane) => laneSelector(app, lane),
    }),
    workload: openKubernetesWorkload(target),
    migrations: openKubernetesMigrations(target),
    queue,
    ...openKubernetesJournal(client, app),
    herald,
    setFence(number) {
      driver = number;
    },
    send: openSender({ app, kubernetes, client, way }),
    async [Symbol.asyncDispose]() {
      await herald[Symbol.asyncDispose]();
      await queue?.[Symbol.asyncDispose]();
    },
  };
}
