import { withDeadline } from '../../deadline.ts';
import { HeadgateError } from '../../errors.ts';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { podProxyPath } from '../../platform/kubernetes/kinds.ts';
import { adminPortBeside } from '../../platform/kubernetes/lane-names.ts';
import { hostOf, httpPortOf } from './look.ts';
import type { Pod } from './objects.ts';
import type { Reach } from './probe.ts';

const answerMaxMs = 2_000;

/** No gateway can be told to end a connection, so each proxy is. One that is about to stop is asked too. */
export async function closeConnections(
  client: KubeClient,
  { pods, olderThanMs, reach }: { readonly pods: readonly Pod[]; readonly olderThanMs: number; readonly reach: Reach },
  signal: AbortSignal,
): Promise<void> {
  const proxies = pods.filter((pod) => httpPortOf(pod) !== undefined && pod.status?.podIP !== undefined);
  const path = `/connections/close?olderThanMs=${olderThanMs}`;
  const within = withDeadline(signal, answerMaxMs);
  const answers = await Promise.all(
    proxies.map(async (pod) => ({ name: pod.metadata.name, says: await post(client, { pod, path, reach }, within) })),
  );
  signal.throwIfAborted();
  const deaf = answers.find(({ says }) => says !== '200');
  if (deaf === undefined) return;
  throw new HeadgateError(
    'WORKLOAD_UNREACHABLE',
    `Cannot close long connections of pod ${deaf.name} as its proxy must take POST ${path}: current value is "${deaf.says}"`,
    { hint: 'they last until it stops; README, "Your own services", says what a proxy must do to end them sooner' },
  );
}

type Asked = { readonly pod: Pod; readonly path: string; readonly reach: Reach };

/** The status, or why there is none. */
async function post(client: KubeClient, { pod, path, reach }: Asked, signal: AbortSignal): Promise<string> {
  const port = adminPortBeside(httpPortOf(pod));
  try {
    if (reach === 'pod') {
      const answer = await fetch(`http://${hostOf(pod)}:${port}${path}`, { method: 'POST', signal });
      await answer.body?.cancel();
      return String(answer.status);
    }
    const place = podProxyPath(client.namespace, pod.metadata.name, port);
    return String((await client.post(`${place}${path}`, signal)).status);
  } catch (error) {
    return error instanceof Error ? error.message : String(error); // It may have stopped just now.
  }
}
