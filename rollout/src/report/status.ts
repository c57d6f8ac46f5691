import type { Instant, Lane } from '../lane.ts';
import { lanes, otherLane } from '../lane.ts';
import { markerText } from '../pin.ts';
import { type Forecast, forecastText } from '../policy/forecast-text.ts';
import type { Evidence } from '../policy/look.ts';
import { lastRoll } from '../policy/newest.ts';
import { isForward, isOver, type Phase } from '../policy/phase.ts';
import { leadsTo } from '../policy/pin-wishes.ts';
import type { Head, Release } from '../policy/release.ts';
import { weightsAt } from '../policy/weights.ts';
import type { Revision } from '../revision.ts';
import { rolledText, rollingLines } from './rolling.ts';
import { needsPerson } from './state.ts';
import { duration, failedRatio, odds, short } from './words.ts';

/** What a lane did lately. */
export type Flow = {
  readonly perSecond: number;
  readonly requests: number;
  readonly failed: number;
  readonly lag: number | undefined;
  readonly oldestMs: number | undefined;
};

/** What the evidence tells. */
export type Seen = {
  readonly flows: { readonly [lane in Lane]: Flow | undefined };
  readonly evidence: Evidence | undefined;
  /** `undefined` without users' requests, and where nothing is compared by them. */
  readonly forecast: Forecast | undefined;
  /** The user's own metrics, each as a line. */
  readonly metrics: readonly string[];
  /** Some process was not counted in all of the last ten seconds: nobody could tell whether requests get lost on the way. */
  readonly uneven: boolean;
  /** Why it does not go on, newest first-hand account of the driver. */
  readonly hold: { readonly reason: string; readonly why: string } | undefined;
  /** ln(1/alpha) and ln(1/beta): what the wealths are compared with. */
  readonly needed: { readonly rollback: number; readonly promote: number };
};

/** Everything `status` shows, from the journal alone. */
export type StatusFacts = Seen & {
  readonly head: Head;
  readonly now: Instant;
  /** Who holds the lock, or `undefined`. */
  readonly driver: string | undefined;
};

/** What the head alone tells. */
export type FirstFacts = Pick<StatusFacts, 'head' | 'now'>;

/** One screen that answers: what serves, what is being released, why it is not further, how to stop it. */
export function statusText(facts: StatusFacts): readonly string[] {
  const { head } = facts;
  const { release } = head;
  if (release === undefined || isOver(release.state.phase))
    return [
      headline(facts),
      ...laneLines(facts),
      ...pinLines(facts),
      ...rollingLines(head.rolling, facts.driver),
      ...lastLines(facts),
      ...waitingLines(head),
    ];
  return [
    headline(facts),
    ...laneLines(facts),
    ...pinLines(facts),
    ...evidenceLines(facts),
    ...forecastLines(facts, release),
    ...whyLines(facts, release),
    ...stopLines(release),
    ...waitingLines(head),
  ];
}

/** The first line, which the head alone tells. */
export function headline({ head, now }: FirstFacts): string {
  const { release, rolling } = head;
  if (rolling !== undefined)
    return `${head.app} · rolling update ${rolling.id} · for ${duration(now - rolling.startedAt)}`;
  if (release === undefined) return `${head.app} · nothing has been released yet`;
  if (isOver(release.state.phase)) return `${head.app} · idle · nothing is being released`;
  return `${head.app} · release ${release.id} · ${release.plan.strategy} · ${phaseText(release, now)}`;
}

/** The phase in words, with how long it has lasted. */
export function phaseText(release: Release, now: Instant): string {
  const { phase } = release.state;
  const lasted = duration(now - phase.since);
  switch (phase.kind) {
    case 'holding': {
      if (release.plan.strategy === 'ab') return `A/B test for ${lasted}`;
      const left = release.plan.bakeMs / release.plan.steps.length - (now - phase.since);
      const next = phase.step === release.plan.steps.length - 1 ? 'promotion' : 'next step';
      return `at ${release.plan.steps[phase.step]} % for ${lasted}${left > 0 ? ` · ${next} in ${duration(left)} at the earliest` : ''}`;
    }
    case 'settling':
      if (release.plan.strategy === 'ab') return `A/B test about to begin for ${lasted}`;
      return `going to ${release.plan.steps[phase.step]} % for ${lasted}`;
    case 'rollingBack':
      return `rolling back (${phase.stage}${phase.lentAt === undefined ? '' : ", by live's revision in its lane"}) for ${lasted}`;
    case 'watching':
      return `promoted, watched for ${lasted} of ${duration(release.plan.watchMs)}`;
    case 'interrupted':
      return `interrupted ${lasted} ago, candidate at 0 %`;
    default:
      return `${phase.kind} for ${lasted}`;
  }
}

function laneLines(facts: StatusFacts): readonly string[] {
  const { head } = facts;
  const shown = head.live === undefined ? lanes : ([head.live, otherLane(head.live)] as const);
  const rows = shown.flatMap((lane) => laneRow(facts, lane));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ')}`.trimEnd(),
  );
}

function isNumber(column: number): boolean {
  return column >= 4 && column <= 6;
}

function laneRow(facts: StatusFacts, lane: Lane): readonly (readonly string[])[] {
  const { head } = facts;
  const revision = head.lanes[lane];
  const role = roleOf(head, lane);
  if (revision === undefined) return [];
  const weights = head.release === undefined ? undefined : weightsAt(head.release, head.release.state.phase);
  const flow = facts.flows[lane];
  const traffic =
    flow === undefined
      ? ['', '']
      : [`${flow.perSecond.toFixed(0)} req/s`, `${failedRatio(flow.failed, flow.requests)} failed`];
  const lag = flow?.lag === undefined ? '' : `lag ${flow.lag}, oldest ${((flow.oldestMs ?? 0) / 1_000).toFixed(1)} s`;
  return [[role, lane, short(revision.id), commitOf(revision), `${weights?.[lane] ?? 0} %`, ...traffic, lag]];
}

function roleOf(head: Head, lane: Lane): string {
  if (head.live === lane) return 'live';
  const { release } = head;
  return release !== undefined && release.candidate === lane && !isOver(release.state.phase) ? 'candidate' : 'warm';
}

function commitOf(revision: Revision): string {
  return revision.commit === undefined ? '' : `commit ${revision.commit.slice(0, 7)}`;
}

function pinLines({ head: { release } }: StatusFacts): readonly string[] {
  if (release === undefined) return [];
  const pins = release.state.pins.filter(({ to }) => to.kind !== 'nobody');
  return pins.map((pin) => {
    const asked = pin.wish === undefined ? '' : ' (not confirmed yet)';
    return `  pinned     ${markerText(pin)} ${leadsTo(release, pin)}${asked} · by ${pin.actor}: ${pin.reason}`;
  });
}

function evidenceLines({ evidence, needed, metrics, uneven }: StatusFacts): readonly string[] {
  if (evidence === undefined) return [];
  const bad = `worse than tolerated ${odds(evidence.logRollback)} (rolls back at ${odds(needed.rollback)})`;
  const good =
    evidence.logPromote === undefined
      ? 'judged against history'
      : `good enough ${odds(evidence.logPromote)} (promotes at ${odds(needed.promote)})`;
  const deaf = uneven
    ? ['  uncounted  a process of router or lanes is silent: whether requests get lost on the way cannot be told']
    : [];
  return [`  evidence   ${bad} · ${good}`, ...deaf, ...metrics.map((line) => `  ${line}`)];
}

function forecastLines(
  { forecast, now }: StatusFacts,
  { plan, startedAt, state: { phase } }: Release,
): readonly string[] {
  if (plan.strategy !== 'canary' || !isForward(phase)) return [];
  const leftMs = startedAt + plan.deadlineMs - now;
  const words = forecast === undefined ? "none without users' requests" : forecastText(forecast, leftMs, plan);
  return [`  forecast   ${words}`];
}

function whyLines({ hold, driver }: StatusFacts, release: Release): readonly string[] {
  const reason = reasonOf(release.state.phase);
  // On the way back why it goes back says more than that it is still going, unless somebody must act.
  const why =
    hold !== undefined && needsPerson.has(hold.reason)
      ? [reason, hold.why].filter(Boolean).join('; but ')
      : (reason ?? hold?.why);
  const undriven =
    driver === undefined ? ['  driver     nobody drives this release: `headgate wait` or any act goes on with it'] : [];
  return [...(why === undefined ? [] : [`  because    ${why}`]), ...undriven];
}

function reasonOf(phase: Phase): string | undefined {
  return phase.kind === 'rollingBack' || phase.kind === 'returning' ? phase.reason.text : undefined;
}

function stopLines(release: Release): readonly string[] {
  const back = release.state.phase.kind === 'rollingBack' || release.state.phase.kind === 'returning';
  const reason = release.reason === '' ? '' : `: ${release.reason}`;
  const isTest = release.plan.strategy === 'ab' && isForward(release.state.phase);
  const stop = isTest ? 'to end the test: headgate promote or headgate rollback' : 'to stop it: headgate rollback';
  return [`  started    by ${release.actor}${reason}${back ? '' : ` · ${stop}`}`];
}

/** A controller begins what waits. Where there is none only the command that ordered it does, and that may be dead. */
function waitingLines({ waiting }: Head): readonly string[] {
  if (waiting === undefined) return [];
  const { spec, request } = waiting.order;
  const what = commitOf(request.revision) || `revision ${short(request.revision.id)}`;
  const lost =
    spec.kubernetes?.driver === 'controller'
      ? ''
      : '; its own command begins it: if that is gone, run it again, or the next release that begins takes it off';
  return [`  waits      ${what}, by ${request.actor}${lost}`];
}

function lastLines({ head, now }: StatusFacts): readonly string[] {
  const { release } = head;
  if (release === undefined) return [];
  const rolled = lastRoll(head);
  if (rolled !== undefined) return [`  last       ${rolledText(rolled)}`];
  const { phase } = release.state;
  const when = `${duration(now - phase.since)} ago`;
  if (phase.kind === 'rolledBack')
    return [
      `  last       release ${release.id} (${short(release.revision.id)}) was rolled back ${when}: ${phase.reason.text}`,
    ];
  if (phase.kind !== 'promoted' || release.former === undefined)
    return [`  last       release ${release.id} was promoted`];
  const left = phase.warmUntil - now;
  const warm =
    left > 0
      ? `the former version stays warm for ${duration(left)}: headgate rollback goes back at once`
      : 'the warm lane is due to go to zero at the next act';
  return [`  last       release ${release.id} was promoted; ${warm}`];
}
