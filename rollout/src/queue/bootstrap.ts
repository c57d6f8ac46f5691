import { HeadgateError } from '../errors.ts';
import { demand, info, objectIn } from './api.ts';
import type { Connection } from './connection.ts';
import { type Config, describeQueue, type QueueObject, type QueueTarget } from './description.ts';
import { type Difference, differences } from './difference.ts';
import { existingDifferences } from './existing.ts';

type Named = Pick<QueueObject, 'kind' | 'name'>;

/**
 * What one object on the server still needs. `addSubjects` carries the new ones; a change that would take something away
 * or change a limit is a `refuse` with every difference, for a person to make.
 */
export type Change =
  | { readonly kind: 'make'; readonly object: QueueObject }
  | { readonly kind: 'addSubjects'; readonly object: QueueObject; readonly subjects: readonly string[] }
  | { readonly kind: 'refuse'; readonly object: Named; readonly differences: readonly Difference[] };

/** What `bootstrap` would do, as data. @throws {HeadgateError} `QUEUE_UNREACHABLE`, `SERVER_VERSION`, `SPEC_INVALID` */
export async function planBootstrap(
  connection: Connection,
  target: QueueTarget,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const objects = describeQueue(target);
  const changes = await Promise.all(
    objects.map(async (object) => changeFor(object, await readConfig(connection, object, signal))),
  );
  const existing = await existingDifferences(connection, target, signal);
  return [
    ...existing.map((one) => ({ kind: 'refuse', ...one }) as const),
    ...changes.filter((change) => change !== undefined),
  ];
}

/** What `bootstrap` would do, unless one object must be refused. @throws {HeadgateError} as `bootstrap` */
export async function checkBootstrap(
  connection: Connection,
  target: QueueTarget,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const changes = await planBootstrap(connection, target, signal);
  refuseDifferences(changes);
  return changes;
}

/**
 * Makes streams, consumers, bucket and dead letters of both lanes, reads every config back and compares; what ran before Headgate it only
 * compares. Safe to repeat.
 * Nothing is changed while one object must be refused.
 * @returns what was done; nothing when all was there
 * @throws {HeadgateError} `QUEUE_CONFIG_DIFFERS` with every object, field, wanted and current value; `QUEUE_UNREACHABLE`, `SERVER_VERSION`, `SPEC_INVALID`
 */
export async function bootstrap(
  connection: Connection,
  target: QueueTarget,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const changes = await checkBootstrap(connection, target, signal);
  for (const change of inOrder(changes)) await apply(connection, change, signal);
  refuseDifferences(await planBootstrap(connection, target, signal));
  return changes;
}

/** The change that makes `current` as described, or `undefined` if it is so already. */
export function changeFor(object: QueueObject, current: Config | undefined): Change | undefined {
  if (current === undefined) return { kind: 'make', object };
  const found = differences(object.config, current);
  if (found.length === 0) return undefined;
  const added = found.length === 1 ? addedSubjects(object, found[0]) : undefined;
  return added === undefined
    ? { kind: 'refuse', object, differences: found }
    : { kind: 'addSubjects', object, subjects: added };
}

/** `undefined` unless the difference only adds subjects. */
function addedSubjects(object: QueueObject, difference: Difference | undefined): readonly string[] | undefined {
  if (difference?.field !== subjectsField(object)) return undefined;
  const wanted = difference.wanted as readonly string[]; // Ours: description.ts writes text only.
  const current: readonly unknown[] = Array.isArray(difference.current) ? difference.current : [];
  return current.every((subject) => wanted.some((one) => one === subject))
    ? wanted.filter((subject) => !current.includes(subject))
    : undefined;
}

function subjectsField(object: QueueObject): string {
  return object.kind === 'stream' ? 'subjects' : 'filter_subjects';
}

/** A stream before its consumers; but a consumer hears of a new subject before the stream takes it, or it would skip what came between. */
function inOrder(changes: readonly Change[]): readonly Change[] {
  const widensStream = (change: Change): boolean => change.kind === 'addSubjects' && change.object.kind === 'stream';
  return [...changes.filter((change) => !widensStream(change)), ...changes.filter(widensStream)];
}

async function apply(connection: Connection, change: Change, signal: AbortSignal): Promise<void> {
  if (change.kind === 'refuse') return; // None is left: they were refused before the first change.
  const { kind, object } = change;
  if (object.kind === 'stream') {
    await demand(connection, `STREAM.${kind === 'make' ? 'CREATE' : 'UPDATE'}.${object.name}`, object.config, signal);
    return;
  }
  const body = { stream_name: object.stream, action: kind === 'make' ? 'create' : 'update', config: object.config };
  await demand(connection, `CONSUMER.CREATE.${object.stream}.${object.name}`, body, signal);
}

async function readConfig(
  connection: Connection,
  object: QueueObject,
  signal: AbortSignal,
): Promise<Config | undefined> {
  const name = object.kind === 'stream' ? object.name : `${object.stream}.${object.name}`;
  const found = await info(connection, object.kind, name, signal);
  return found === undefined ? undefined : objectIn(found, 'config');
}

function refuseDifferences(changes: readonly Change[]): void {
  const lines = changes.flatMap((change) =>
    change.kind === 'refuse'
      ? change.differences.map(
          ({ field, wanted, current }) =>
            `Cannot use ${change.object.kind} ${change.object.name} as its ${field} must be ${JSON.stringify(wanted) ?? 'absent'}: current value is "${JSON.stringify(current) ?? 'absent'}"`,
        )
      : [],
  );
  if (lines.length === 0) return;
  throw new HeadgateError('QUEUE_CONFIG_DIFFERS', lines.join('\n'), {
    hint: 'change it by hand with `nats stream edit` or `nats consumer edit` when no release runs, or bring headgate.yaml back to it',
  });
}
