import { upperBound } from '../judge/clopper-pearson.ts';
import type { LaneCounts } from '../judge/verdict.ts';
import { type Bin, binned, ratioRequestsMin, spanOf } from './bins.ts';
import { stateName } from './explain.ts';
import { plotStyle } from './plot-style.ts';
import type { Story } from './story.ts';
import { duration } from './words.ts';

/**
 * One picture of a release: the candidate's weight, the failure ratios of both lanes with the range that their counts
 * still allow, and the odds on a log scale between the two lines that decide. SVG, readable on light and dark ground.
 */
export function plot(story: Story, release: number): string {
  const { begun, spanMs } = spanOf(story);
  const x = (at: number) => round(left + ((at - begun) / spanMs) * wide);
  const title = `Release ${release}: ${titleOf(story)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + wide + right} ${height}" role="img" aria-label="${title}">`,
    `<style>${plotStyle}</style><rect class="ground" width="100%" height="100%"/>`,
    text(left, 24, title, 'title'),
    ...weights(story, x),
    ...ratios(story, x),
    ...evidence(story, x),
    ...watchLine(story, x),
    ...times(begun, spanMs, x),
    '</svg>',
    '',
  ].join('\n');
}

/** A watch says nothing of the comparison that led to it. */
function titleOf(story: Story): string {
  const { compared, watch } = story;
  const { begun, spanMs } = spanOf(story);
  const since = watchedSince(story);
  if (watch === undefined || since === undefined) return `${stateName(compared)} after ${duration(spanMs)}`;
  const end = watch.kind === 'rollback' ? 'ROLLBACK' : 'watched for';
  return `PROMOTE after ${duration(since - begun)}, ${end} ${end === 'ROLLBACK' ? 'after another ' : ''}${duration(begun + spanMs - since)}`;
}

function watchedSince({ points }: Story): number | undefined {
  const first = points.find(({ watched }) => watched);
  return first && first.at - 1_000 * first.seconds;
}

type Across = (at: number) => number;

const left = 64;
const wide = 720;
const right = 116;
const height = 560;
const panels = { weight: { top: 64, tall: 72 }, ratio: { top: 182, tall: 120 }, odds: { top: 342, tall: 170 } };

function weights({ points }: Story, x: Across): readonly string[] {
  const { top, tall } = panels.weight;
  const y = (share: number) => round(top + tall - (share / 100) * tall);
  const path = points.flatMap(({ at, seconds, share }) => [
    `${x(at - 1_000 * seconds)},${y(share)}`,
    `${x(at)},${y(share)}`,
  ]);
  return [
    heading(top, "candidate's weight"),
    ...[0, 50, 100].map((share) => gridLine(y(share), `${share} %`)),
    `<polyline class="line candidate" points="${path.join(' ')}"/>`,
  ];
}

const binsMax = 48;

function ratios(story: Story, x: Across): readonly string[] {
  const { top, tall } = panels.ratio;
  const bins = binned(story, { binsMax, requestsMin: ratioRequestsMin });
  const ratioMax = scaleMax(bins);
  const y = (ratio: number) => round(top + tall - Math.min(1, ratio / ratioMax) * tall);
  const lane = (name: 'live' | 'candidate') => {
    const seen = bins.filter((bin) => bin[name].requests > 0);
    // Each bin as wide as its time: what was counted together is drawn as one.
    const across = (height: (counts: LaneCounts) => number) =>
      seen.flatMap((bin) => [`${x(bin.from)},${y(height(bin[name]))}`, `${x(bin.to)},${y(height(bin[name]))}`]);
    const upper = across((counts) => bounds(counts).high);
    const lower = across((counts) => bounds(counts).low).reverse();
    return [
      `<polygon class="band ${name}" points="${[...upper, ...lower].join(' ')}"/>`,
      `<polyline class="line ${name}" points="${across(({ failures, requests }) => failures / requests).join(' ')}"/>`,
    ];
  };
  return [
    heading(top, 'failed requests; the bands hold the true ratio in 95 of 100 places'),
    ...[0, ratioMax / 2, ratioMax].map((ratio) => gridLine(y(ratio), `${+(100 * ratio).toPrecision(2)} %`)),
    ...lane('live'),
    ...lane('candidate'),
    text(left + wide + 8, top + 12, 'live', 'live-text'),
    text(left + wide + 8, top + 30, 'candidate', 'candidate-text'),
  ];
}

/** Room for every ratio that was seen, and for live's bands. */
function scaleMax(bins: readonly Bin[]): number {
  const ratiosSeen = bins.flatMap(({ live, candidate }) =>
    [live, candidate].filter(({ requests }) => requests > 0).map(({ failures, requests }) => failures / requests),
  );
  const bands = bins.map(({ live }) => (live.requests > 0 ? bounds(live).high : 0));
  const most = Math.max(0.01, ...ratiosSeen.map((ratio) => ratio * 1.1), ...bands);
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
  return steps.find((step) => step >= most) ?? 1;
}

function bounds({ requests, failures }: LaneCounts): { readonly low: number; readonly high: number } {
  return {
    high: upperBound({ requests, failures }, 0.975),
    low: 1 - upperBound({ requests, failures: requests - failures }, 0.975),
  };
}

/** Above the lines that decide there is room for a factor of ten. */
const room = Math.log(10);

function evidence({ points, settings }: Story, x: Across): readonly string[] {
  const { top, tall } = panels.odds;
  const middle = top + tall / 2;
  const rollbackAt = Math.log(1 / settings.alpha);
  const promoteAt = Math.log(1 / settings.beta);
  const logMax = Math.max(rollbackAt, promoteAt) + room;
  const y = (log: number) => round(middle - (Math.min(logMax, Math.max(-logMax, log)) / logMax) * (tall / 2));
  const compared = points.filter(({ verdict, watched }) => verdict.logPromote !== null && !watched);
  return [
    `<text class="soft" x="${left}" y="${top - 10}">odds, on a log scale: up <tspan class="bad-text">worse than tolerated</tspan>, down <tspan class="good-text">good enough</tspan></text>`,
    gridLine(y(0), '1:1'),
    gridLine(y(rollbackAt), ratio(settings.alpha), 'decides bad'),
    gridLine(y(-promoteAt), ratio(settings.beta), 'decides good'),
    text(left + wide + 8, y(rollbackAt) + 4, 'rolls back here', 'bad-text'),
    text(left + wide + 8, y(-promoteAt) + 4, 'promotes here', 'good-text'),
    `<polyline class="line bad" points="${points.map(({ at, verdict }) => `${x(at)},${y(Math.max(0, verdict.logRollback))}`).join(' ')}"/>`,
    `<polyline class="line good" points="${compared.map(({ at, verdict }) => `${x(at)},${y(-Math.max(0, verdict.logPromote ?? 0))}`).join(' ')}"/>`,
  ];
}

function ratio(chance: number): string {
  return `${Math.round(1 / chance)}:1`;
}

function watchLine(story: Story, x: Across): readonly string[] {
  const since = watchedSince(story);
  if (since === undefined) return [];
  const bottom = panels.odds.top + panels.odds.tall;
  return [
    `<path class="rule since" d="M${x(since)} ${panels.weight.top}V${bottom}"/>`,
    text(x(since) + 4, bottom - 4, 'watched', 'soft'),
  ];
}

const secondsMs = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800].map(
  (sec) => 1_000 * sec,
);
const ticksMax = 6;

function times(begun: number, spanMs: number, x: Across): readonly string[] {
  const bottom = panels.odds.top + panels.odds.tall + 24;
  const every = secondsMs.find((ms) => spanMs / ms <= ticksMax) ?? spanMs / ticksMax;
  return Array.from({ length: Math.floor(spanMs / every) + 1 }, (_, i) =>
    text(x(begun + i * every), bottom, duration(i * every), 'soft middle'),
  );
}

function heading(top: number, words: string): string {
  return text(left, top - 10, words, 'soft');
}

function gridLine(y: number, label: string, kind = 'rule'): string {
  return `<path class="${kind}" d="M${left} ${y}H${left + wide}"/>${text(left - 8, y + 4, label, 'soft end')}`;
}

function text(x: number, y: number, words: string, kind: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
