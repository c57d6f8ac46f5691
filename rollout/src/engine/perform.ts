import { withDeadline } from '../deadline.ts';
import { invariant, unreachable } from '../errors.ts';
import type { Migration } from '../migration/migration.ts';
import type { Platform } from '../platform/platform.ts';
import type { Command, Release } from '../policy/release.ts';
import type { TrafficDone } from '../traffic/traffic.ts';

const commandMaxMs = 10_000;

/** Carries out one command, unless a router cannot. Safe to repeat. @throws {HeadgateError} what the port throws */
export async function perform(
  command: Command,
  release: Release,
  ports: Platform,
  { lost, maxMs = commandMaxMs }: { readonly lost: AbortSignal; readonly maxMs?: number | undefined },
): Promise<TrafficDone> {
  lost.throwIfAborted(); // Somebody else may drive by now: stop before the next write.
  // A write in flight is finished even when the driver was told to go; only a lost lock or the deadline cut it short.
  const signal = withDeadline(lost, maxMs);
  switch (command.kind) {
    case 'setWeights':
      invariant(
        [0, 100].includes(command.weights.blue + command.weights.green),
        'Cannot set weights as they must add up to 100 or both be 0',
      );
      return ports.traffic.setWeights(command.weights, signal);
    case 'setPins':
      return ports.traffic.setPins(command.pins, signal);
    case 'migrate':
      await ports.migrations.run(migrationOf(release), signal);
      break;
    case 'setRevision':
      invariant(command.lane !== release.state.live, 'Cannot set a revision in the live lane');
      await ports.workload.setRevision(command.lane, release.revision, signal);
      break;
    case 'scale':
      invariant(
        command.lane !== release.state.live || Object.values(command.replicas).every((count) => count > 0),
        'Cannot scale a service of the live lane to 0',
      );
      await ports.workload.scale(command.lane, command.replicas, signal);
      break;
    case 'redeploy':
      invariant(command.lane !== release.state.live, 'Cannot set other workers in the live lane');
      invariant(release.plan.redeploy !== undefined, 'Cannot redeploy as no revision is known for it');
      await ports.workload.setWorkers(command.lane, release.plan.redeploy, signal);
      await ports.workload.scale(command.lane, command.replicas, signal);
      break;
    case 'keep':
      await ports.workload.keep(command.lane, command.replicas, signal);
      break;
    case 'letGo':
      await ports.workload.letGo(command.lane, signal);
      break;
    case 'closeConnections':
      await ports.workload.closeConnections(command.lane, command.olderThanMs, signal);
      break;
    case 'setSources':
    case 'fence':
    case 'unfence':
    case 'disposeDead':
    case 'answerLeft':
      await performOnQueue(command, release, ports, signal);
      break;
    case 'label':
      await ports.workload.label(command.lane, { role: command.role, release: command.release }, signal);
      break;
    default:
      unreachable(command);
  }
  return { kind: 'done' };
}

/** As it is run and looked at. */
export function migrationOf({ id, candidate, revision, plan }: Release): Migration {
  invariant(plan.migrate !== undefined, 'Cannot migrate as this release has nothing to run');
  return { ...plan.migrate, release: id, revision, lane: candidate };
}

type QueueCommand = Extract<
  Command,
  { readonly kind: 'setSources' | 'fence' | 'unfence' | 'disposeDead' | 'answerLeft' }
>;

async function performOnQueue(
  command: QueueCommand,
  release: Release,
  { queue }: Platform,
  signal: AbortSignal,
): Promise<void> {
  invariant(queue !== undefined, 'Cannot carry out a queue command as this app has no queue');
  switch (command.kind) {
    case 'setSources':
      return queue.setSources(command.lane, command.sources, signal);
    case 'fence':
      await queue.fence(command.lane, command.forMs, signal);
      return;
    case 'unfence':
      return queue.unfence(command.lane, signal);
    case 'disposeDead':
      await queue.disposeDead(command.lane, command.upToStreamSeq, signal);
      return;
    case 'answerLeft':
      invariant(command.lane !== release.state.live, 'Cannot answer in the place of the workers of the live lane');
      await queue.answerLeft(command.lane, command.upToStreamSeq, signal);
      return;
    default:
      unreachable(command);
  }
}
