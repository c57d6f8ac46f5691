import { invariant } from '../errors.ts';
import type { Lane, Weights } from '../lane.ts';
import type { Command } from '../policy/release.ts';
import { present, resize, type SimLane, type World } from './world.ts';

/** Carries out one command, and notes each rule that the command itself breaks. */
export function obey(world: World, command: Command, revision: string, live: Lane | undefined): void {
  switch (command.kind) {
    case 'setWeights':
      setWeights(world, command.weights);
      break;
    case 'setRevision':
      if (command.lane === live) world.broken.push('the live lane got another revision');
      setRevision(world, world.lanes[command.lane], revision);
      break;
    case 'scale':
      scale(world, command.lane, command.replicas, live);
      break;
    case 'redeploy':
      if (command.lane === live) world.broken.push('the live lane got other workers');
      world.lanes[command.lane].isLent = true;
      scale(world, command.lane, command.replicas, live);
      break;
    case 'keep':
      world.lanes[command.lane].held = Math.max(world.lanes[command.lane].held, ...Object.values(command.replicas));
      break;
    case 'letGo':
      world.lanes[command.lane].held = 0;
      break;
    case 'setSources':
      world.lanes[command.lane].sources = command.sources;
      break;
    case 'fence':
      world.lanes[command.lane].fencedUntil = world.now + command.forMs;
      break;
    case 'unfence':
      world.lanes[command.lane].fencedUntil = world.now + 100;
      break;
    case 'answerLeft':
      answerLeft(world, command.lane, live);
      break;
    case 'setPins':
      world.pins = command.pins;
      break;
    case 'label':
      world.lanes[command.lane].labels = { role: command.role, release: command.release };
      break;
    case 'migrate': // Nor data,
    case 'closeConnections': // nor has it requests that last.
    case 'disposeDead':
      break; // Nor does it give a message up by itself.
  }
}

/** As many as one call takes; of a lane whose workers are gone, or the client might hear two answers. */
function answerLeft(world: World, lane: Lane, live: Lane | undefined): void {
  const at = world.lanes[lane];
  if (lane === live) world.broken.push(`messages of the live lane ${lane} were answered by the driver`);
  if (present(world, at.workers) > 0) world.broken.push(`messages of ${lane} were answered beside its workers`);
  if (world.lettersAway) return;
  const letters = at.waiting.splice(0, 1_000).length;
  world.deadLetters += letters;
  world.counts[lane].failed += letters;
}

function setWeights(world: World, weights: Weights): void {
  invariant([0, 100].includes(weights.blue + weights.green), `weights add up to ${weights.blue + weights.green}`);
  world.weights = weights;
  world.writer = undefined;
}

function setRevision(world: World, lane: SimLane, revision: string): void {
  if (lane.revision === revision && !lane.isLent) return;
  lane.isLent = false;
  lane.revision = revision;
  lane.startedAt = world.now;
  lane.proxies.since = world.now;
  lane.workers.since = world.now;
}

function scale(world: World, lane: Lane, replicas: Readonly<Record<string, number>>, live: Lane | undefined): void {
  const at = world.lanes[lane];
  for (const [name, wanted] of Object.entries(replicas)) {
    const pool = name === 'proxy' ? at.proxies : at.workers;
    if (wanted === 0 && pool.wanted > 0) noteStop(world, lane, name, live);
    resize(world, at, pool, wanted === 0 ? 0 : Math.max(wanted, pool.wanted));
    at.held = wanted === 0 ? 0 : Math.max(at.held, wanted);
  }
}

/** Proxies go last and never with work in their lane; workers never while the lane has weight and still pulls. */
function noteStop(world: World, lane: Lane, name: string, live: Lane | undefined): void {
  const at = world.lanes[lane];
  if (lane === live) world.broken.push(`${name} of the live lane ${lane} was scaled to 0`);
  const isKeptOpen = world.writer !== undefined && name !== 'proxy'; // Live answers for it while somebody else's hand gives it users.
  if (world.weights[lane] > 0 && !isKeptOpen)
    world.broken.push(`${name} of ${lane} was scaled to 0 at ${world.weights[lane]} %`);
  if (world.pins.some((pin) => pin.lane === lane))
    world.broken.push(`${name} of ${lane} was scaled to 0 with a pin to it`);
  if (
    name === 'proxy' &&
    live !== undefined &&
    at.waiting.length + at.stuck.length > 0 &&
    present(world, at.workers) === 0
  ) {
    world.broken.push(
      `proxies of ${lane} were stopped with ${at.waiting.length + at.stuck.length} requests in the lane`,
    );
  }
}
