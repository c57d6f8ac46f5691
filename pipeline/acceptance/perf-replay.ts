import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { randomFrom } from '../src/perf/interval.ts';
import { isSettled, judgePerf, type PerfVerdict } from '../src/perf/judge.ts';
import { isCalm, perfRule, type Round, roundsMaxOf, type Side } from '../src/perf/rule.ts';
import type { Report } from './report.ts';

/** Rounds of the very same image on both sides, in quiet and beside a noisy neighbour. */
export type Recorded = { readonly quiet: readonly Round[]; readonly noisy: readonly Round[] };

const file = new URL('./perf-rounds.json.gz', import.meta.url);
const replays = 20;
const freezeMs = 1_000;
const capacity = 0.95;

type Change = (side: Side, random: () => number) => Side;

type Kind = {
  readonly name: string;
  /** Out of these a round is drawn. */
  readonly from: (recorded: Recorded) => readonly Round[];
  /** What a new version of this kind does to the rounds of the old one; `once`: to one of them. */
  readonly change?: Change;
  readonly once?: boolean;
  readonly right: readonly PerfVerdict['kind'][];
  readonly least: number;
};

const quiet = ({ quiet: rounds }: Recorded): readonly Round[] => rounds;
/** A neighbour who comes and goes. */
const both = ({ quiet: calm, noisy }: Recorded): readonly Round[] => [...calm, ...noisy];

const kinds: readonly Kind[] = [
  { name: 'the same image on both sides', from: quiet, right: ['notSlower'], least: 19 },
  {
    name: 'writes, 5 % of the requests, take 20 % longer',
    from: quiet,
    change: longerWrites,
    right: ['slower'],
    least: 19,
  },
  { name: 'a single standstill of 1 s', from: quiet, change: standstill, once: true, right: ['slower'], least: 20 },
  { name: 'it takes 950 of 1000 requests/s', from: quiet, change: queueing, right: ['slower'], least: 20 },
  {
    name: 'the same image beside a noisy neighbour',
    from: both,
    right: ['notSlower', 'cannotTell'],
    least: 20,
  },
];

/** The gate's verdicts over recorded rounds: each replay draws its own, and which side of it is the new one. */
export async function perfReplay(report: Report): Promise<void> {
  const rounds = roundsMaxOf(perfRule);
  const recorded = await readRecorded();
  const { length: quietOnes } = recorded.quiet;
  report.say(
    `up to ${rounds} calm rounds each, of ${quietOnes} recorded in quiet and ${recorded.noisy.length} beside noise`,
  );
  for (const [row, kind] of kinds.entries()) {
    const verdicts = Array.from({ length: replays }, (_, n) =>
      judgePerf(replay(recorded, kind, { rounds, seed: row * replays + n + 1 }), perfRule),
    );
    const right = verdicts.filter((verdict) => kind.right.includes(verdict.kind));
    const wrong = verdicts.filter((verdict) => !right.includes(verdict));
    const used = verdicts.map((verdict) => verdict.rounds.calm).sort((a, b) => a - b);
    report.check(
      `${kind.name}, replayed: ${kind.right.join(' or ')} in ${right.length} of ${replays}, after ${used[0]} to ${used.at(-1)} calm rounds, ${used[replays / 2]} in the middle`,
      right.length >= kind.least,
      wrong.map((verdict) => `${verdict.kind}, as ${verdict.why[0]}`).join('; '),
    );
  }
}

function replay(recorded: Recorded, { from, change, once = false }: Kind, size: { rounds: number; seed: number }) {
  const random = randomFrom(size.seed);
  const one = Math.floor(random() * perfRule.passMin); // After those nothing may be played any more.
  const drawn: Round[] = [];
  const choice = from(recorded);
  const calm = () => drawn.filter((round) => isCalm(round, perfRule)).length;
  // As the gate plays them: those that a neighbour disturbed are played again.
  while (calm() < size.rounds && drawn.length < 2 * size.rounds && !isSettled(drawn, perfRule)) {
    const round = turned(choice[Math.floor(random() * choice.length)], random);
    const isChanged = change !== undefined && (!once || drawn.length === one);
    drawn.push(isChanged ? { ...round, after: change(round.after, random) } : round);
  }
  return drawn;
}

/** Both sides are the same image, so that either may be the new one. */
function turned(round: Round | undefined, random: () => number): Round {
  if (round === undefined) throw new RangeError('Cannot replay as nothing is recorded');
  const { before, after, machine } = round;
  if (random() < 0.5) return round;
  return { before: after, after: before, machine: { before: machine.after, after: machine.before } };
}

/** Each latency by its kind, and by when in the round it was sent, 0 to 1: a kind's are in the order of their answers. */
function retimed(side: Side, change: (ms: number, at: number, kind: string) => number): Side {
  const changed = Object.entries(side.timings).map(
    ([kind, all]) => [kind, all.map((ms, n) => change(ms, n / all.length, kind))] as const,
  );
  return { ...side, timings: Object.fromEntries(changed) };
}

function longerWrites(side: Side): Side {
  return retimed(side, (ms, _, kind) => (kind.startsWith('GET ') ? ms : ms * 1.2));
}

/** Whatever is sent meanwhile waits for its end. */
function standstill(side: Side, random: () => number): Side {
  const roundMs = msOf(side);
  const from = random() * (roundMs - freezeMs);
  return retimed(side, (ms, at) => {
    const since = at * roundMs - from;
    return since >= 0 && since < freezeMs ? ms + freezeMs - since : ms;
  });
}

/** Each waits for all before it. */
function queueing(side: Side): Side {
  const late = msOf(side) * (1 / capacity - 1);
  const slower = retimed(side, (ms, at) => ms + at * late);
  return { ...slower, achievedPerSecond: Math.min(side.achievedPerSecond, capacity * side.askedPerSecond) };
}

function msOf({ requests, askedPerSecond }: Side): number {
  return (requests / askedPerSecond) * 1_000;
}

async function readRecorded(): Promise<Recorded> {
  return JSON.parse((await promisify(gunzip)(await readFile(file))).toString()) as Recorded; // We have written it.
}

/** In hundredths of a millisecond, which is finer than what a verdict looks at. */
export async function writeRecorded(recorded: Recorded): Promise<void> {
  const short = (_: string, value: unknown) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value);
  await writeFile(file, await promisify(gzip)(JSON.stringify(recorded, short), { level: 9 }));
}
