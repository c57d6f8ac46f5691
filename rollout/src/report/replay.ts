import type { JudgeSettings } from '../judge/judge.ts';
import type { DecisionRecord, Ended } from '../policy/release.ts';
import { verdictText } from '../policy/verdict-text.ts';
import { explain } from './explain.ts';
import type { Story, StoryPoint } from './story.ts';
import { duration } from './words.ts';

/** The judge taken again over what a release counted. */
export type Replay = {
  readonly recorded: Story;
  /** With other settings; `undefined`: none were asked for. */
  readonly other: Story | undefined;
  /** What the journal keeps of the release: decisions, and how it ended. Nothing for a table of counts. */
  readonly decisions: readonly DecisionRecord[];
  readonly ended: Ended | undefined;
};

/** When the judge first said so. What it said after a rollback is nothing: the release would have been over. */
export type Said = {
  readonly kind: 'promote' | 'rollback';
  /** Since the first look. */
  readonly afterSec: number;
  readonly share: number;
  readonly watched: boolean;
  readonly text: string;
};

export function saidIn({ points, settings }: Story): readonly Said[] {
  const end = points.findIndex(({ verdict }) => verdict.kind === 'rollback');
  const whole = end === -1 ? points : points.slice(0, end + 1);
  const promote = whole.find(({ verdict }) => verdict.kind === 'promote');
  const first = (points[0]?.at ?? 0) - 1_000 * (points[0]?.seconds ?? 0);
  return [promote, points[end]].flatMap((point) =>
    point === undefined || point.verdict.kind === 'hold'
      ? []
      : [
          {
            kind: point.verdict.kind,
            afterSec: (point.at - first) / 1_000,
            share: point.share,
            watched: point.watched,
            text: verdictText(point.verdict, settings),
          },
        ],
  );
}

/** How many decisions of the journal rest on odds that the replay gives again to the last bit, of those that can be compared. */
export function agreementOf({ recorded, decisions }: Replay): { readonly same: number; readonly compared: number } {
  const pairs = decisions.flatMap(({ look: { now, evidence } }) => {
    const point = evidence.blindMs > 0 ? undefined : recorded.points.find(({ at }) => at === now);
    return point === undefined ? [] : [{ evidence, point }];
  });
  return { same: pairs.filter(isSame).length, compared: pairs.length };
}

function isSame({ evidence, point }: { evidence: DecisionRecord['look']['evidence']; point: StoryPoint }): boolean {
  const { kind, logRollback, logPromote } = point.verdict;
  return (
    evidence.verdict === kind && evidence.logRollback === logRollback && (evidence.logPromote ?? null) === logPromote
  );
}

/** For machines: the same as `replayText` says. */
export function replayJson(replay: Replay): unknown {
  const told = (story: Story) => ({
    settings: story.settings,
    said: saidIn(story),
    compared: story.compared,
    watch: story.watch,
  });
  const { recorded, other, ended } = replay;
  return {
    looks: recorded.points.length,
    recorded: { ...told(recorded), decisions: agreementOf(replay), ended },
    ...(other === undefined ? {} : { other: told(other) }),
  };
}

export function replayText(replay: Replay, what: string): readonly string[] {
  const { recorded, other } = replay;
  return [
    `${what}: ${seenText(recorded)}`,
    ...telling(recorded, 'as recorded'),
    ...recordText(replay),
    ...(other === undefined
      ? []
      : [
          ...telling(other, 'with other settings'),
          'The counts are those of the record: after another decision there would have been others.',
        ]),
  ];
}

function seenText({ points }: Story): string {
  const sum = (of: (point: StoryPoint) => number) => points.reduce((total, point) => total + of(point), 0);
  const seconds = sum((point) => point.seconds);
  return `${points.length} looks over ${duration(1_000 * seconds)}; live had ${sum(({ live }) => live.requests)} requests, the candidate ${sum(({ candidate }) => candidate.requests)}`;
}

function telling(story: Story, title: string): readonly string[] {
  const said = saidIn(story).map(
    ({ kind, afterSec, share, watched, text }) =>
      `  after ${duration(1_000 * afterSec)}, ${watched ? 'in the watch' : `at ${share} %`}: ${kind}, as ${text}`,
  );
  return [
    `${title}: ${settingsText(story.settings)}`,
    ...(said.length === 0 ? ['  neither promote nor rollback'] : said),
    ...explain(story).map((line) => `  ${line}`),
  ];
}

function settingsText({ alpha, beta, bakeSec, tolerate, latencyPromotes, slow }: JudgeSettings): string {
  const latency = slow.includes('latency') || slow.includes('ackTime');
  const part = latency ? (latencyPromotes ? 'promote' : 'rollback') : 'off';
  return `alpha ${alpha}, beta ${beta}, bake ${duration(1_000 * bakeSec)}, tolerate ${tolerate}, latency ${part}`;
}

function recordText(replay: Replay): readonly string[] {
  const { ended, decisions } = replay;
  const { same, compared } = agreementOf(replay);
  return [
    ...(ended === undefined
      ? []
      : [`  on record: ${ended.outcome === 'promoted' ? 'promoted' : 'rolled back'}, as ${ended.text}`]),
    ...(decisions.length === 0
      ? []
      : [
          `  ${same} of ${compared} decisions on record rest on the same odds, to the last bit${same < compared ? '; the others are of another version of the judge' : ''}`,
        ]),
  ];
}
