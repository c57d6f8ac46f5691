import type { Lane } from '../lane.ts';
import { instant, percent, weightsFor } from '../lane.ts';
import { markerRule, readMarker } from '../pin.ts';
import { type Around, begin } from '../policy/begin.ts';
import type { Act, Evidence, WishSeen } from '../policy/look.ts';
import { noEvidence } from '../policy/look.ts';
import type { Phase } from '../policy/phase.ts';
import { type Command, emptyHead, type Head } from '../policy/release.ts';
import { turn } from '../policy/turn.ts';
import { aSpec, orderOf, revisionNamed } from './named.ts';
import { obey } from './obey.ts';
import { seeded } from './random.ts';
import { type Blindness, freshMemory, look, seesAll } from './see.ts';
import { type Behaviour, good, makeWorld, pass, type World } from './world.ts';

/** A play: the world obeys at once, and every change of phase is written down. */
export type Play = {
  head: Head;
  readonly world: World;
  readonly memory: ReturnType<typeof freshMemory>;
  evidence: Evidence;
  wishes: WishSeen[];
  blind: Blindness;
  lastWhy: string;
};

const lookMs = 1_000;
/** Looks a single line of a play may take: longer is a play that never gets there. */
const looksMax = 1_000;

export function newPlay(): Play {
  return {
    head: emptyHead('play'),
    world: makeWorld(seeded(1), 100),
    memory: freshMemory(),
    evidence: noEvidence,
    wishes: [],
    blind: seesAll,
    lastWhy: '',
  };
}

/** Carries out one line and answers what happened, as lines. */
export function perform(play: Play, line: string): readonly string[] {
  const [verb = '', ...words] = line.split(' ');
  const rest = words.join(' ');
  switch (verb) {
    case 'live':
      return makeLive(play, rest);
    case 'release':
      return release(play, rest);
    case 'until':
      return runUntil(play, rest);
    case 'for':
      return runFor(play, Number.parseInt(rest, 10));
    case 'why':
      return [play.lastWhy];
    case 'verdict':
      return say(play, rest);
    case 'wish':
      return wish(play, rest);
    case 'pin':
    case 'unpin':
      return pin(play, verb, words);
    case 'world':
      return change(play, rest);
    default:
      return [`unknown line: ${line}`];
  }
}

function makeLive(play: Play, name: string): readonly string[] {
  const revision = revisionNamed(name);
  const { world } = play;
  world.weights = weightsFor('blue', percent(100));
  for (const pool of [world.lanes.blue.proxies, world.lanes.blue.workers]) pool.wanted = 2;
  world.lanes.blue.revision = revision.id;
  play.head = { ...play.head, live: 'blue', lanes: { blue: revision, green: undefined }, revisions: [revision] };
  return [`${name} is live in blue`];
}

function release(play: Play, words: string): readonly string[] {
  const [name = '', ...options] = words.split(' ');
  const spec = { ...aSpec, ...Object.fromEntries(options.map(readOption)) };
  const request = {
    ...orderOf(revisionNamed(name)),
    insist: options.includes('insist'),
    deadLetterBacklog: options.includes('dead-letter-backlog'),
  };
  const { world } = play;
  world.followsSources = !options.includes('deaf') && !options.includes('redeploy');
  world.adopt = (['redeploy', 'answer'] as const).find((way) => options.includes(way)) ?? 'bind';
  const around: Around = { raisedWeight: 'overwrite', adopt: world.adopt };
  const begun = begin(play.head, request, spec, around, instant(play.world.now));
  if (begun.kind === 'begun') play.head = begun.head;
  return [`${begun.kind}: ${begun.text}`];
}

function readOption(option: string): [string, unknown] {
  const [key = '', value = ''] = option.split('=');
  if (key === 'steps') return ['steps', value.split(',').map(Number)];
  if (key === 'strategy' || key === 'atDeadline') return [key, value];
  if (key === 'pins') return ['pins', value.split(',').map((words) => readMarker(words.replace(':', '=')))];
  if (key === 'approve') return ['approve', true];
  return [`${key}Ms`, Number.parseInt(value, 10) * 1_000];
}

function runUntil(play: Play, phase: string): readonly string[] {
  const lines: string[] = [];
  for (let i = 0; i < looksMax; i++) {
    lines.push(...oneLook(play));
    if (play.head.release !== undefined && showPhase(play.head.release.state.phase).startsWith(phase)) return lines;
  }
  return [...lines, `did not reach ${phase}: ${play.lastWhy}`];
}

function runFor(play: Play, seconds: number): readonly string[] {
  const lines: string[] = [];
  for (let i = 0; i < seconds; i++) lines.push(...oneLook(play));
  return lines.length > 0 ? lines : [`nothing moves: ${play.lastWhy}`];
}

function oneLook(play: Play): readonly string[] {
  const { world, memory } = play;
  pass(world, lookMs);
  const running = play.head.release;
  if (running === undefined) return [];
  const seen = look(world, memory, play.evidence, play.wishes, play.blind);
  play.wishes = [];
  const { head, decision, changed } = turn(play.head, running, seen);
  for (const command of decision.commands) obey(world, command, running.revision.id, decision.state.live);
  play.head = head;
  play.lastWhy = decision.why;
  const answers = decision.answers
    .filter(({ id, kind }) => kind === 'refused' || id === 'pin')
    .map(({ kind, text }) => `${kind}: ${text}`);
  if (!changed) return answers;
  const moved =
    decision.state.phase === running.state.phase
      ? []
      : [`${showTime(world)} ${showPhase(decision.state.phase)}: ${decision.why}`];
  return [...answers, ...moved, ...decision.commands.map((command) => `      > ${showCommand(command)}`)];
}

function say(play: Play, words: string): readonly string[] {
  const [verdict = 'hold', ...rest] = words.split(' ');
  const value = (key: string) => rest.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  play.evidence = {
    ...noEvidence,
    idle: value('idle') === 'yes',
    unread: value('unread') === 'yes',
    verdict: verdict === 'promote' || verdict === 'rollback' ? verdict : 'hold',
    progress: Number(value('progress') ?? (verdict === 'promote' ? 1 : 0)),
    blindMs: Number.parseInt(value('blind') ?? '0', 10) * 1_000,
    text: value('text') ?? `the judge says ${verdict}`,
  };
  return [];
}

function wish(play: Play, words: string): readonly string[] {
  const [act = 'hold', actor = 'kim@desk', releaseId] = words.split(' ');
  play.wishes = [
    {
      id: 'w',
      act: act as Act,
      release: releaseId === undefined ? undefined : Number(releaseId),
      step: undefined,
      actor,
      reason: 'as asked',
    },
  ];
  return oneLook(play);
}

/** `pin <header=value> <role or revision>`, `unpin <header=value>`. The router confirms it at the next look. */
function pin(play: Play, act: 'pin' | 'unpin', [marked = '', to = 'candidate']: readonly string[]): readonly string[] {
  const marker = readMarker(marked);
  if (marker === undefined) return [`it ${markerRule}`];
  const asked = { id: 'pin', release: undefined, actor: 'kim@desk', reason: 'as asked', marker };
  play.wishes = [act === 'pin' ? { ...asked, act, to } : { ...asked, act }];
  return [...oneLook(play), ...oneLook(play)];
}

function change(play: Play, words: string): readonly string[] {
  const [what = '', ...rest] = words.split(' ');
  if (what === 'blind')
    play.blind = {
      weights: rest.includes('weights'),
      workload: rest.includes('workload'),
      queue: rest.includes('queue'),
    };
  else if (what === 'autoscaled') play.world.autoscaled = Number(rest[0]);
  else if (what === 'letters') play.world.lettersAway = rest.includes('away');
  else if (what === 'weights') play.world.weights = weightsFor('green', percent(Number(rest[0])));
  else if (what === 'down')
    play.world.lanes[rest[0] as Lane].proxies.since = play.world.now + Number(rest[1] ?? 3_600) * 1_000;
  else
    play.world.behaviours.set(revisionNamed(what).id, {
      ...good,
      kind: rest[0] as Behaviour['kind'],
      fromMs: Number.parseInt(rest[1] ?? '0', 10) * 1_000,
    });
  return [];
}

function showTime(world: World): string {
  return `${String(Math.round((world.now - 1_000_000) / 1_000)).padStart(4)}s`;
}

function showPhase(phase: Phase): string {
  switch (phase.kind) {
    case 'settling':
    case 'holding':
      return `${phase.kind} (step ${phase.step})`;
    case 'rollingBack':
    case 'retiring':
      return `${phase.kind} (${phase.stage})`;
    default:
      return phase.kind;
  }
}

function showCommand(command: Command): string {
  switch (command.kind) {
    case 'setWeights':
      return `setWeights blue=${command.weights.blue} green=${command.weights.green}`;
    case 'setPins':
      return `setPins ${command.pins.map(({ value, lane }) => `${value}=${lane}`).join(' ') || 'none'}`;
    case 'scale':
    case 'redeploy':
    case 'keep':
      return `${command.kind} ${command.lane} ${Object.entries(command.replicas)
        .map(([name, n]) => `${name}=${n}`)
        .join(' ')}`;
    case 'label':
      return `label ${command.lane} ${command.role} release=${command.release ?? 'none'}`;
    case 'setSources':
      return `setSources ${command.lane} from ${command.sources.join('+') || 'nothing'}`;
    default:
      return `${command.kind} ${command.lane}`;
  }
}
