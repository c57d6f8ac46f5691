import { HeadgateError } from '../errors.ts';
import type { Lane } from '../lane.ts';
import { lanes } from '../lane.ts';
import {
  bucket,
  bucketStream,
  consumerName,
  deadLetterStream,
  deadLetterSubject,
  type QueueApp,
  streamName,
  subjectPrefix,
} from './names.ts';

/** The services of headgate.yaml; those that pull nothing have no part in the queue. */
export type QueueServices = Readonly<Record<string, { readonly pulls: readonly string[] }>>;

export type QueueTarget = QueueApp & { readonly services: QueueServices };

/** Times and sizes of every lane. Both lanes are equal in them, because roles swap. */
export const limits = {
  /** A few times the HTTP timeout: longer than an adoption, shorter than anybody waits. */
  maxAgeMs: 120_000,
  /** The smallest window the server takes; a longer one swallows a client's retry in silence. */
  duplicateWindowMs: 100,
  maxBytes: 268_435_456,
  /** Twice the HTTP timeout. */
  ackWaitMs: 10_000,
  /** `maxDeliver` x `ackWaitMs` stays under `maxAgeMs`. */
  maxDeliver: 5,
  maxAckPending: 256,
  /** Cannot be changed later. */
  maxWaiting: 512,
  deadLetterMaxAgeMs: 30 * 86_400_000,
} as const;

/** A config as the server's JSON API writes it: durations in nanoseconds. */
export type Config = Readonly<Record<string, unknown>>;

type StreamObject = { readonly kind: 'stream'; readonly name: string; readonly config: Config };
type ConsumerObject = {
  readonly kind: 'consumer';
  readonly stream: string;
  readonly name: string;
  readonly config: Config;
};
export type QueueObject = StreamObject | ConsumerObject;

/**
 * All that an app needs on NATS and that is Headgate's to make, in the order in which it can be made. The same JSON serves Ansible and Kubernetes manifests.
 * @throws {HeadgateError} `SPEC_INVALID` if two services pull the same subject
 */
export function describeQueue(target: QueueTarget): readonly QueueObject[] {
  const { app, services } = target;
  const workers = workersOf(services);
  refuseSharedSubjects(app, workers);
  const made = lanes.filter((lane) => subjectPrefix(target, lane) !== '');
  return [describeBucket(), describeDeadLetters(app), ...made.flatMap((lane) => describeLane(target, lane, workers))];
}

/** The services that pull, by name. */
export function workersOf(services: QueueServices): QueueServices {
  return Object.fromEntries(Object.entries(services).filter(([, { pulls }]) => pulls.length > 0));
}

function describeLane(queue: QueueApp, lane: Lane, workers: QueueServices): readonly QueueObject[] {
  const name = streamName(queue, lane);
  const prefix = subjectPrefix(queue, lane);
  const pulls = Object.values(workers).flatMap((worker) => worker.pulls);
  const config = {
    name,
    subjects: pulls.map((subject) => `${prefix}.${subject}`),
    subject_transform: { src: `${prefix}.>`, dest: '>' },
    storage: 'memory',
    retention: 'workqueue',
    no_ack: true,
    max_age: nanoseconds(limits.maxAgeMs),
    duplicate_window: nanoseconds(limits.duplicateWindowMs),
    max_bytes: limits.maxBytes,
    discard: 'old',
    num_replicas: 1,
    metadata: { 'headgate.app': queue.app, 'headgate.lane': lane },
  };
  const consumers = Object.entries(workers).map(([service, worker]) =>
    describeConsumer(queue, lane, service, worker.pulls),
  );
  return [{ kind: 'stream', name, config }, ...consumers];
}

function describeConsumer(queue: QueueApp, lane: Lane, service: string, pulls: readonly string[]): ConsumerObject {
  const name = consumerName(queue, lane, service);
  const config = {
    durable_name: name,
    filter_subjects: pulls, // After the transform: with the prefix they would match nothing.
    ack_policy: 'explicit',
    ack_wait: nanoseconds(limits.ackWaitMs),
    max_deliver: limits.maxDeliver,
    max_ack_pending: limits.maxAckPending,
    max_waiting: limits.maxWaiting,
    deliver_policy: 'all',
    replay_policy: 'instant',
  };
  return { kind: 'consumer', stream: streamName(queue, lane), name, config };
}

/** As the key-value API of the clients makes it. */
function describeBucket(): StreamObject {
  const config = {
    name: bucketStream,
    subjects: [`$KV.${bucket}.>`],
    storage: 'file',
    retention: 'limits',
    max_msgs_per_subject: 1,
    discard: 'new',
    duplicate_window: nanoseconds(120_000),
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
    num_replicas: 1,
  };
  return { kind: 'stream', name: bucketStream, config };
}

function describeDeadLetters(app: string): StreamObject {
  const name = deadLetterStream(app);
  const config = {
    name,
    subjects: lanes.map((lane) => deadLetterSubject(app, lane)),
    storage: 'file',
    retention: 'limits',
    max_age: nanoseconds(limits.deadLetterMaxAgeMs),
    duplicate_window: nanoseconds(120_000),
    discard: 'old',
    num_replicas: 1,
    metadata: { 'headgate.app': app },
  };
  return { kind: 'stream', name, config };
}

/** A workqueue takes no two consumers for one subject, and a message has one service that answers it. */
function refuseSharedSubjects(app: string, workers: QueueServices): void {
  const owners = new Map<string, string>();
  for (const [service, { pulls }] of Object.entries(workers)) {
    for (const subject of pulls) {
      const other = owners.get(subject);
      if (other !== undefined) {
        throw new HeadgateError(
          'SPEC_INVALID',
          `Cannot describe the queue of ${app} as a subject has one service: current value is "${subject}" in ${other} and ${service}`,
          { hint: `remove "${subject}" from the pulls of one of them` },
        );
      }
      owners.set(subject, service);
    }
  }
}

function nanoseconds(ms: number): number {
  return ms * 1_000_000;
}
