import type { Lane } from '../lane.ts';
import { firstLane, lanes } from '../lane.ts';
import type { ExistingQueue } from '../spec.ts';

/** Every name on NATS carries app, lane and service, so that two apps in one account never meet. */

/** Bucket of the source lists; one per account, shared by all apps. */
export const bucket = 'headgate';

/** The stream behind the bucket. */
export const bucketStream = `KV_${bucket}`;

/** Whose lanes; `existing` is what the first lane has instead of names of ours. */
export type QueueApp = { readonly app: string; readonly existing: ExistingQueue | undefined };

/** A lane's stream has the name of its subject prefix. */
export function streamName({ app, existing }: QueueApp, lane: Lane): string {
  return existing !== undefined && lane === firstLane ? existing.stream : `${app}-${lane}`;
}

/** First token of what the lane's proxy publishes; the stream strips it again. Empty: bare subjects, and nothing to strip. */
export function subjectPrefix({ app, existing }: QueueApp, lane: Lane): string {
  return existing !== undefined && lane === firstLane ? '' : `${app}-${lane}`;
}

/** The durable of one worker service on its lane's stream. */
export function consumerName({ app, existing }: QueueApp, lane: Lane, service: string): string {
  const found = lane === firstLane ? existing?.consumers[service] : undefined;
  return found ?? `${app}-${lane}-${service}`;
}

/** A lane's consumer as the API's subjects name it. */
export function consumerPath(queue: QueueApp, lane: Lane, service: string): string {
  return `${streamName(queue, lane)}.${consumerName(queue, lane, service)}`;
}

/** The lane whose stream is called so, or `undefined` for a stream of somebody else. */
export function laneOfStream(queue: QueueApp, stream: string): Lane | undefined {
  return lanes.find((lane) => streamName(queue, lane) === stream);
}

/** Subject under which the lane's source list is put, and under which its workers hear of it. */
export function sourcesSubject(app: string, lane: Lane | '*'): string {
  return `$KV.${bucket}.sources.${app}.${lane}`;
}

/** Subject under which whoever drives says so; the same rights as for the lists. */
export function claimSubject(app: string): string {
  return `$KV.${bucket}.sources.${app}.driver`;
}

export function deadLetterStream(app: string): string {
  return `dlq-${app}`;
}

export function deadLetterSubject(app: string, lane: Lane): string {
  return `dlq.${app}-${lane}`;
}

/** Inboxes of one user, so that nobody else may listen on them. */
export function inboxPrefix(app: string, user: string): string {
  return `_INBOX_${app}_${user}`;
}
