import type { Lane } from '../../lane.ts';
import type { KubeClient, KubeObject } from '../../platform/kubernetes/client.ts';
import { kinds, pathOf } from '../../platform/kubernetes/kinds.ts';
import type { Failure } from '../workload.ts';
import type { Pod } from './objects.ts';
import { eventsFor, type Trouble } from './trouble.ts';

const logLinesMax = 20;
const lineCharsMax = 1_000;

type Event = KubeObject & {
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
};

/** A trouble with what Events and logs say of it; `undefined` if it turns out to be none. */
export async function failureOf(
  client: KubeClient,
  { lane, service, trouble }: { readonly lane: Lane; readonly service: string; readonly trouble: Trouble },
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const [told, logLines] = await Promise.all([eventOf(client, trouble, signal), logOf(client, trouble, signal)]);
  if (trouble.onlyWith !== undefined && told === undefined) return undefined;
  const more = told === undefined ? '' : `: ${told}`;
  return { reason: trouble.reason, message: `${service} of lane ${lane} ${trouble.what}${more}`, logLines };
}

/** The newest message of the Events that matter. */
async function eventOf(client: KubeClient, trouble: Trouble, signal: AbortSignal): Promise<string | undefined> {
  const reasons = eventsFor(trouble);
  if (trouble.pod === undefined || reasons.length === 0) return undefined;
  const of = `involvedObject.uid=${trouble.pod.metadata.uid}`;
  const path = `${pathOf(kinds.Event, client.namespace)}?fieldSelector=${encodeURIComponent(of)}`;
  const { status, text } = await client.text(path, signal);
  if (status !== 200) return undefined; // Without the right to read Events the failure is known all the same.
  const { items } = JSON.parse(text) as { readonly items: readonly Event[] | null };
  return (items ?? [])
    .filter(({ reason }) => reasons.includes(reason ?? ''))
    .toSorted((a, b) => timeOf(a).localeCompare(timeOf(b)))
    .at(-1)?.message;
}

function timeOf({ lastTimestamp, eventTime }: Event): string {
  return lastTimestamp ?? eventTime ?? '';
}

async function logOf(client: KubeClient, { pod, logs }: Trouble, signal: AbortSignal): Promise<readonly string[]> {
  if (pod === undefined || logs === undefined) return [];
  const lines = await logLinesOf(client, pod, logs, signal);
  // Between two lives of a container its last words belong to the one or to the other.
  return lines.length > 0 ? lines : logLinesOf(client, pod, { ...logs, previous: !logs.previous }, signal);
}

export async function logLinesOf(
  client: KubeClient,
  pod: Pod,
  { container, previous }: NonNullable<Trouble['logs']>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const wanted = new URLSearchParams({
    container,
    previous: String(previous),
    tailLines: String(logLinesMax),
  });
  const { status, text } = await client.text(
    `${pathOf(kinds.Pod, client.namespace, pod.metadata.name, 'log')}?${wanted}`,
    signal,
  );
  return status === 200 ? linesIn(text) : [];
}

function linesIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(0, lineCharsMax)]));
}
