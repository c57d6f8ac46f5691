import type { IncomingMessage } from 'node:http';
import { withDeadline } from '../../deadline.ts';
import type { Lane } from '../../lane.ts';
import { ask } from '../../platform/ask.ts';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { podProxyPath } from '../../platform/kubernetes/kinds.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import type { ProbeAnswer } from '../workload.ts';
import { hostOf, httpPortOf, isReady, type LaneObjects } from './look.ts';

/** `pod`: straight to its address, from inside the cluster. `api-server`: through the API server, from anywhere. */
export type Reach = 'pod' | 'api-server';

const answerMaxMs = 6_000;
const bodyBytesMax = 1_000_000;

/** @param turn Another number is another pod, so that a lane with one bad proxy is found out. */
export async function probeLane(
  client: KubeClient,
  probe: { readonly lane: Lane; readonly objects: LaneObjects; readonly reach: Reach; readonly turn: number },
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { objects, lane, reach, turn } = probe;
  const ready = objects.pods.filter(
    (pod) =>
      httpPortOf(pod) !== undefined && pod.metadata.deletionTimestamp === undefined && isReady(pod, objects.serving),
  );
  const pod = ready[turn % Math.max(1, ready.length)];
  const port = pod === undefined ? undefined : httpPortOf(pod);
  if (pod === undefined || port === undefined) return { kind: 'unanswered', why: `no proxy of lane ${lane} is ready` };
  const path = pod.metadata.annotations?.[marks.probe] ?? '/';
  if (reach === 'pod') return ask(`http://${hostOf(pod)}:${port}${path}`, {}, signal);
  const throughServer = `${podProxyPath(client.namespace, pod.metadata.name, port)}${path}`;
  return askThroughServer(client, throughServer, withDeadline(signal, answerMaxMs));
}

async function askThroughServer(client: KubeClient, path: string, signal: AbortSignal): Promise<ProbeAnswer> {
  try {
    const reply = await client.stream(path, signal);
    await readToEnd(reply);
    const header = (name: string) => [reply.headers[name]].flat()[0];
    const answer = { lane: header('headgate-lane'), revision: header('headgate-revision') };
    return { kind: 'answered', status: reply.statusCode ?? 0, ...answer };
  } catch (error) {
    return { kind: 'unanswered', why: error instanceof Error ? error.message : String(error) };
  }
}

/** So that nobody counts it as a client that left. */
async function readToEnd(reply: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new RangeError(`the answer is longer than ${bodyBytesMax} bytes`);
  }
}
