import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { HeadgateError, isHeadgateError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { type JudgeSettings, type JudgeState, primeJudge, startJudge, stepJudge } from '../judge/judge.ts';
import { type Counts, countsOnly, type Prime, type Sample } from '../judge/sample.ts';
import type { Verdict } from '../judge/verdict.ts';
import type { Lane, PerLane } from '../lane.ts';
import { grow, type ProcessBook } from '../metrics/growth.ts';
import { bucketsIn, type Processes, type ProcessSeen, type Series } from '../metrics/processes.ts';
import { observerSettings } from '../policy/settings.ts';
import { verdictText } from '../policy/verdict-text.ts';
import type { Trial } from '../report/observed.ts';
import type { ReleaseSpec, Spec } from '../spec.ts';
import { readHead } from './book.ts';
import { asLanes, type Halves, halve } from './halves.ts';

export type Observation =
  | { readonly kind: 'begun'; readonly lane: Lane; readonly settings: JudgeSettings }
  | { readonly kind: 'trial'; readonly trial: Trial }
  | { readonly kind: 'unseen'; readonly message: string };

type Observing = {
  readonly spec: Spec;
  readonly journal: Journal;
  readonly processes: Processes | undefined;
  readonly alpha: number;
  readonly everyMs?: number;
};

const everyMsDefault = 2_000;
const readMaxMs = 2_000;

/**
 * Judges the live lane against itself, one half of its processes against the other, until the signal. Reads and nothing else.
 * @throws {HeadgateError} `REFUSED` where there is nothing to halve, `METRICS_UNREACHABLE`
 */
export async function* observe(observing: Observing, signal: AbortSignal): AsyncGenerator<Observation> {
  const { everyMs = everyMsDefault } = observing;
  let watch: Watch | undefined;
  let told = '';
  for (; !signal.aborted; await sleep(everyMs, undefined, { signal }).catch(() => undefined)) {
    const looked = await look(observing, watch, signal).catch((error: unknown) => {
      if (watch === undefined || !isHeadgateError(error)) throw error;
      return error.message; // No sample; the next whole reading covers the gap.
    });
    if (typeof looked === 'string') {
      if (looked !== told && !signal.aborted) yield { kind: 'unseen', message: looked };
      told = looked;
      continue;
    }
    told = '';
    if (looked.watch.lane !== watch?.lane)
      yield { kind: 'begun', lane: looked.watch.lane, settings: looked.watch.settings };
    watch = looked.watch;
    if (looked.trial !== undefined) yield { kind: 'trial', trial: looked.trial };
  }
  const left = watch?.trial && trialOf(watch.settings, watch.trial, 'open');
  if (left !== undefined) yield { kind: 'trial', trial: left };
}

async function look(
  { spec, journal, processes, alpha }: Observing,
  watch: Watch | undefined,
  signal: AbortSignal,
): Promise<Looked> {
  const { live } = await readHead(journal, spec.app, signal);
  if (live === undefined) throw unfit('nothing is live', 'release a first version');
  if (processes === undefined) throw unfit('no process of a lane can be asked here', 'observe where they can');
  const atSec = (performance.timeOrigin + performance.now()) / 1_000; // No clock that is set makes a stretch longer.
  const seen = await processes.observe(live, withDeadline(signal, readMaxMs));
  const same = watch?.lane === live ? watch : beginWatch(live, settingsOf(spec, seen, alpha), spec.release);
  return lookAgain(same, { atSec, seen });
}

function settingsOf(spec: Spec, seen: readonly ProcessSeen[], alpha: number): JudgeSettings {
  return { ...observerSettings(spec.release, tellsOf(seen)), alpha };
}

type Looked = { readonly watch: Watch; readonly trial: Trial | undefined };

type Running = { readonly judge: JudgeState; readonly seconds: number; readonly verdict: Verdict | undefined };

export type Watch = {
  readonly lane: Lane;
  readonly settings: JudgeSettings;
  /** A trial without a decision ends then. */
  readonly trialMaxSec: number;
  readonly book: ProcessBook | undefined;
  readonly halves: Halves;
  /** Of the last whole reading. */
  readonly atSec: number;
  /** What the first half counted of late: each trial begins with it, as a release does. */
  readonly past: readonly Prime[];
  readonly trial: Running | undefined;
};

const pastMaxSec = 600;
const pastMinSec = 60;

export function beginWatch(
  lane: Lane,
  settings: JudgeSettings,
  { deadlineMs }: Pick<ReleaseSpec, 'deadlineMs'>,
): Watch {
  return {
    lane,
    settings,
    trialMaxSec: deadlineMs / 1_000,
    book: undefined,
    halves: new Map(),
    atSec: 0,
    past: [],
    trial: undefined,
  };
}

export type Reading = { readonly atSec: number; readonly seen: readonly ProcessSeen[] };

/** Adds one reading; answers with the trial that it ended. A reading that misses a ready process is none, as in a release. */
export function lookAgain(watch: Watch, { atSec, seen }: Reading): Looked {
  const halves = halve(watch.halves, seen);
  const grown = grow(watch.book, asLanes(halves, seen), atSec);
  if (grown === undefined) return { watch, trial: undefined };
  requireHalves(halves, seen);
  const next = { ...watch, halves, book: grown.book, atSec };
  const seconds = atSec - watch.atSec;
  if (grown.lanes === undefined || seconds <= 0) return { watch: next, trial: undefined };
  return judge(next, sampleOf(grown.lanes, watch, seconds));
}

function judge(watch: Watch, sample: Sample): Looked {
  const { settings, trialMaxSec } = watch;
  const past = remember(watch.past, sample);
  if (watch.trial === undefined) {
    if (secondsOf(past) < pastMinSec) return { watch: { ...watch, past }, trial: undefined };
    const begun = { judge: past.reduce(primeJudge, startJudge(settings)), seconds: 0, verdict: undefined };
    return { watch: { ...watch, past, trial: begun }, trial: undefined };
  }
  const [state, verdict] = stepJudge(watch.trial.judge, sample);
  const trial = { judge: state, seconds: watch.trial.seconds + sample.seconds, verdict };
  const end = verdict.kind !== 'hold' ? verdict.kind : trial.seconds >= trialMaxSec ? 'undecided' : undefined;
  if (end === undefined) return { watch: { ...watch, past, trial }, trial: undefined };
  return { watch: { ...watch, past, trial: undefined }, trial: trialOf(settings, trial, end) };
}

function trialOf(settings: JudgeSettings, { seconds, verdict }: Running, end: Trial['end']): Trial | undefined {
  return verdict && { end, seconds, verdict, text: verdictText(verdict, settings) };
}

/** The halves' shares are the balancer's, and a lane has one queue: neither is compared. */
function sampleOf({ blue, green }: PerLane<Series>, { lane, settings }: Watch, seconds: number): Sample {
  const stretch = (name: 'latency' | 'ackTime', prefix: string) =>
    settings.slow.includes(name)
      ? { seconds, live: bucketsIn(blue, prefix), candidate: bucketsIn(green, prefix) }
      : undefined;
  return {
    ...countsOnly,
    seconds,
    candidateShare: 0,
    live: countsOf(blue),
    candidate: countsOf(green),
    latency: stretch('latency', 'latency/'),
    ackTime: stretch('ackTime', `ackTime/${lane}/`),
  };
}

function countsOf({ requests = 0, failed = 0, refused = 0 }: Series): Counts {
  return { requests, failed, refused };
}

function remember(past: readonly Prime[], { seconds, live, latency, ackTime }: Sample): readonly Prime[] {
  const all = [...past, { ...countsOnly, seconds, live, latency, ackTime }];
  const over = secondsOf(all) - pastMaxSec;
  return over > 0 ? all.slice(1) : all;
}

function secondsOf(past: readonly Prime[]): number {
  return past.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** What two halves can be compared by. */
function tellsOf(seen: readonly ProcessSeen[]): JudgeSettings['slow'] {
  const tells = (name: string) => seen.filter(({ series }) => series?.[name] !== undefined).length >= 2;
  return [...(tells('latency') ? (['latency'] as const) : []), ...(tells('ackTime') ? (['ackTime'] as const) : [])];
}

function requireHalves(halves: Halves, seen: readonly ProcessSeen[]): void {
  const proxies = seen.filter(({ series }) => series?.['requests'] !== undefined);
  if (new Set(proxies.map(({ id }) => halves.get(id))).size === 2) return;
  throw unfit(
    `two processes of the live lane must tell their requests: current value is ${proxies.length}`,
    'give the service with a port two replicas, and have it count headgate_requests_total at /metrics',
  );
}

function unfit(why: string, hint: string): HeadgateError {
  return new HeadgateError('REFUSED', `Cannot judge the live lane against itself as ${why}`, { hint });
}
