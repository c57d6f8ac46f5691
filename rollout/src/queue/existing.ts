/** What ran before Headgate is somebody else's: it is looked at, and never made or changed. */
import { lanes } from '../lane.ts';
import { info, numberIn, objectIn, textIn } from './api.ts';
import type { Connection } from './connection.ts';
import { type Config, type QueueTarget, workersOf } from './description.ts';
import type { Difference } from './difference.ts';
import { subjectPrefix } from './names.ts';

export type ExistingDifferences = {
  readonly object: { readonly kind: 'stream' | 'consumer'; readonly name: string };
  readonly differences: readonly Difference[];
};

/** A rollback needs 20 s for its fence, and then works off what waits: a message must live longer. */
const maxAgeMinMs = 60_000;

/** What a lane needs of the stream and consumers that are there and does not find. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function existingDifferences(
  connection: Connection,
  target: QueueTarget,
  signal: AbortSignal,
): Promise<readonly ExistingDifferences[]> {
  const { existing } = target;
  if (existing === undefined) return [];
  const names = Object.keys(workersOf(target.services));
  const [stream, ...found] = await Promise.all([
    info(connection, 'stream', existing.stream, signal),
    ...names.map((service) =>
      info(connection, 'consumer', `${existing.stream}.${existing.consumers[service]}`, signal),
    ),
  ]);
  const consumers = Object.fromEntries(names.map((service, i) => [service, found[i]]));
  return unlike(target, { stream, consumers }).map(({ service, differences }) => ({
    object:
      service === undefined
        ? { kind: 'stream', name: existing.stream }
        : { kind: 'consumer', name: existing.consumers[service] ?? '' },
    differences,
  }));
}

/** As the server tells them; `undefined`: it is not there. */
type Infos = { readonly stream: Config | undefined; readonly consumers: Readonly<Record<string, Config | undefined>> };

/** `service` is `undefined` for the stream. */
type Unlike = { readonly service: string | undefined; readonly differences: readonly Difference[] };

export function unlike(target: QueueTarget, { stream, consumers }: Infos): readonly Unlike[] {
  const absent = [{ field: 'name', wanted: 'one that is there', current: undefined }];
  if (stream === undefined) return [{ service: undefined, differences: absent }];
  const read = Object.entries(consumers).map(([service, consumer]) => ({
    service,
    differences: consumer === undefined ? absent : unlikeConsumer(target, service, objectIn(consumer, 'config')),
  }));
  const filters = Object.values(consumers).flatMap((consumer) => filtersOf(objectIn(consumer ?? {}, 'config')));
  return [{ service: undefined, differences: unlikeStream(target, stream, filters) }, ...read].filter(
    ({ differences }) => differences.length > 0,
  );
}

function unlikeStream(target: QueueTarget, stream: Config, filters: readonly string[]): readonly Difference[] {
  const config = objectIn(stream, 'config');
  const subjects = textsIn(config, 'subjects');
  const workers = workersOf(target.services);
  const pulls = Object.values(workers).flatMap((worker) => worker.pulls);
  const others = lanes.flatMap((lane) => {
    const prefix = subjectPrefix(target, lane);
    return prefix === '' ? [] : pulls.map((subject) => `${prefix}.${subject}`);
  });
  const readers = numberIn(objectIn(stream, 'state'), 'consumer_count');
  return [
    // With limits a stream keeps what is done: nobody could tell it from what is left.
    ...unless(['interest', 'workqueue'].includes(textIn(config, 'retention')), config, 'retention', 'interest'),
    // Else the server answers each request itself, before any worker.
    ...unless(config['no_ack'] === true, config, 'no_ack', true),
    ...unless(config['subject_transform'] === undefined, config, 'subject_transform', undefined),
    ...unless(livesLongEnough(config), config, 'max_age', `at least ${maxAgeMinMs * 1_000_000}, or none`),
    ...missing(pulls, subjects).map((subject) => difference(config, 'subjects', `such that they have ${subject}`)),
    ...caught(others, subjects).map((subject) => difference(config, 'subjects', `such that they lack ${subject}`)),
    ...missing(subjects, filters).map((subject) =>
      difference(config, 'subjects', `such that a service pulls each, and none pulls ${subject}`),
    ),
    // Another reader's messages would look like messages that nobody answers.
    ...(readers === Object.keys(workers).length
      ? []
      : [{ field: 'consumer_count', wanted: Object.keys(workers).length, current: readers }]),
  ];
}

function unlikeConsumer({ services }: QueueTarget, service: string, config: Config): readonly Difference[] {
  const filters = filtersOf(config);
  const others = Object.entries(services).flatMap(([name, { pulls }]) => (name === service ? [] : pulls));
  const field = config['filter_subject'] === undefined ? 'filter_subjects' : 'filter_subject';
  return [
    ...unless(config['ack_policy'] === 'explicit', config, 'ack_policy', 'explicit'),
    ...unless(config['deliver_subject'] === undefined, config, 'deliver_subject', undefined),
    ...unless(Number(config['max_deliver']) > 0, config, 'max_deliver', 'a number above 0'),
    ...missing(services[service]?.pulls ?? [], filters).map((subject) =>
      difference(config, field, `such that they have ${subject}`),
    ),
    ...caught(others, filters).map((subject) => difference(config, field, `such that they lack ${subject}`)),
  ];
}

/** 0 is the server's word for no limit. */
function livesLongEnough(config: Config): boolean {
  const ms = numberIn(config, 'max_age') / 1_000_000;
  return ms === 0 || ms >= maxAgeMinMs;
}

/** What a consumer gets of its stream; without a filter all of it. */
function filtersOf(config: Config): readonly string[] {
  const written = [textIn(config, 'filter_subject'), ...textsIn(config, 'filter_subjects')].filter((one) => one !== '');
  return written.length === 0 ? ['>'] : written;
}

function missing(subjects: readonly string[], patterns: readonly string[]): readonly string[] {
  return subjects.filter((subject) => !patterns.some((pattern) => covers(pattern, subject)));
}

function caught(subjects: readonly string[], patterns: readonly string[]): readonly string[] {
  return subjects.filter((subject) => patterns.some((pattern) => covers(pattern, subject)));
}

/** Whether each subject that `subject` stands for is one of `pattern`: `*` is one token, `>` one or more at the end. */
export function covers(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  const open = wanted.at(-1) === '>';
  if (open ? tokens.length < wanted.length : tokens.length !== wanted.length) return false;
  return wanted.every(
    (one, i) => (one === '>' && i === wanted.length - 1) || one === tokens[i] || (one === '*' && tokens[i] !== '>'),
  );
}

function textsIn(config: Config, field: string): readonly string[] {
  const value = config[field];
  return Array.isArray(value) ? value.map(String) : [];
}

function unless(holds: boolean, config: Config, field: string, wanted: unknown): readonly Difference[] {
  return holds ? [] : [difference(config, field, wanted)];
}

function difference(config: Config, field: string, wanted: unknown): Difference {
  return { field, wanted, current: config[field] };
}
