import { upperBound } from '../judge/clopper-pearson.ts';
import type { LaneCounts } from '../judge/verdict.ts';
import { stateName } from './explain.ts';
import type { Story, StoryPoint } from './story.ts';
import { duration } from './words.ts';

/**
 * One picture of a release: the candidate's weight, the failure ratios of both lanes with the range that their counts
 * still allow, and the odds on a log scale between the two lines that decide. SVG, readable on light and dark ground.
 */
export function plot(story: Story, release: number): string {
  const { points } = story;
  const begun = points[0]?.at ?? 0;
  const spanMs = Math.max(1_000, (points.at(-1)?.at ?? begun) - begun);
  const x = (at: number) => round(left + ((at - begun) / spanMs) * wide);
  const title = `Release ${release}: ${ending(story)} after ${duration(spanMs)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + wide + right} ${height}" role="img" aria-label="${title}">`,
    `<style>${style}</style><rect class="ground" width="100%" height="100%"/>`,
    text(left, 24, title, 'title'),
    ...weights(story, x),
    ...ratios(story, { x, begun, spanMs }),
    ...evidence(story, x),
    ...times(spanMs),
    '</svg>',
    '',
  ].join('\n');
}

function ending({ compared, watch }: Story): string {
  if (watch === undefined) return stateName(compared);
  return watch.kind === 'rollback' ? 'ROLLBACK' : 'PROMOTE';
}

type Across = (at: number) => number;

const left = 64;
const wide = 720;
const right = 116;
const height = 560;
const panels = { weight: { top: 64, tall: 72 }, ratio: { top: 182, tall: 120 }, odds: { top: 342, tall: 170 } };

type Palette = {
  readonly [part in 'ground' | 'ink' | 'soft' | 'rule' | 'live' | 'candidate' | 'bad' | 'good']: string;
};

/** Blue and orange are told apart by everybody; the ground decides how bright they are. */
const onLight: Palette = {
  ground: '#fff',
  ink: '#1f2328',
  soft: '#656d76',
  rule: '#d0d7de',
  live: '#0969da',
  candidate: '#bc4c00',
  bad: '#cf222e',
  good: '#1a7f37',
};
const onDark: Palette = {
  ground: '#0d1117',
  ink: '#e6edf3',
  soft: '#8d96a0',
  rule: '#30363d',
  live: '#58a6ff',
  candidate: '#f0883e',
  bad: '#ff7b72',
  good: '#3fb950',
};

/** Written out for both grounds: not every program that shows SVG knows variables. */
function colours({ ground, ink, soft, rule, ...lines }: Palette): string {
  const each = Object.entries(lines).map(
    ([name, colour]) => `.${name}{stroke:${colour}}.band.${name}{fill:${colour}}.${name}-text{fill:${colour}}`,
  );
  return `.ground{fill:${ground}}text{fill:${ink}}.soft{fill:${soft}}.rule{stroke:${rule}}${each.join('')}`;
}

const style = [
  'text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.end{text-anchor:end}',
  '.rule,.line,.decides{fill:none}.line{stroke-width:1.8;stroke-linejoin:round}',
  '.decides{stroke-dasharray:5 4;stroke-width:1.5}',
  colours(onLight),
  `@media (prefers-color-scheme: dark){${colours(onDark)}}`,
  '.band{stroke:none!important;opacity:.18}',
].join('');

function weights({ points }: Story, x: Across): readonly string[] {
  const { top, tall } = panels.weight;
  const y = (share: number) => round(top + tall - (share / 100) * tall);
  const path = points.flatMap(({ at, share }, i) => {
    const before = points[i - 1];
    return before === undefined || before.share === share
      ? [`${x(at)},${y(share)}`]
      : [`${x(at)},${y(before.share)}`, `${x(at)},${y(share)}`];
  });
  return [
    heading(top, "candidate's weight"),
    ...[0, 50, 100].map((share) => gridLine(y(share), `${share} %`)),
    `<polyline class="line candidate" points="${path.join(' ')}"/>`,
  ];
}

type Bin = { readonly at: number; readonly live: LaneCounts; readonly candidate: LaneCounts };
const binsMax = 48;

function ratios(
  { points }: Story,
  { x, begun, spanMs }: { readonly x: Across; readonly begun: number; readonly spanMs: number },
): readonly string[] {
  const { top, tall } = panels.ratio;
  const bins = binned(points, begun, spanMs);
  const ratioMax = scaleMax(bins);
  const y = (ratio: number) => round(top + tall - Math.min(1, ratio / ratioMax) * tall);
  const lane = (name: 'live' | 'candidate') => {
    const seen = bins.filter((bin) => bin[name].requests > 0);
    const upper = seen.map((bin) => `${x(bin.at)},${y(bounds(bin[name]).high)}`);
    const lower = seen.map((bin) => `${x(bin.at)},${y(bounds(bin[name]).low)}`).reverse();
    const middle = seen.map((bin) => `${x(bin.at)},${y(bin[name].failures / bin[name].requests)}`);
    return [
      `<polygon class="band ${name}" points="${[...upper, ...lower].join(' ')}"/>`,
      `<polyline class="line ${name}" points="${middle.join(' ')}"/>`,
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

function binned(points: readonly StoryPoint[], begun: number, spanMs: number): readonly Bin[] {
  const bins = new Map<number, Bin>();
  const none: LaneCounts = { requests: 0, failures: 0 };
  for (const { at, live, candidate } of points) {
    const k = Math.min(binsMax - 1, Math.floor(((at - begun) / spanMs) * binsMax));
    const bin = bins.get(k) ?? { at: begun + ((k + 0.5) / binsMax) * spanMs, live: none, candidate: none };
    bins.set(k, { at: bin.at, live: add(bin.live, live), candidate: add(bin.candidate, candidate) });
  }
  return [...bins].sort(([a], [b]) => a - b).map(([, bin]) => bin);
}

/** Room for every ratio that was seen, and for the bands of lanes with some traffic. */
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

const logMax = Math.log(1_000);

function evidence({ points, settings }: Story, x: Across): readonly string[] {
  const { top, tall } = panels.odds;
  const middle = top + tall / 2;
  const y = (log: number) => round(middle - (clip(log) / logMax) * (tall / 2));
  const rollbackAt = Math.log(1 / settings.alpha);
  const promoteAt = Math.log(1 / settings.beta);
  const compared = points.filter(({ verdict, watched }) => verdict.logPromote !== null && !watched);
  return [
    heading(top, 'odds, on a log scale: up speaks against the candidate, down for it'),
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

function clip(log: number): number {
  return Math.min(logMax, Math.max(-logMax, log));
}

function times(spanMs: number): readonly string[] {
  const bottom = panels.odds.top + panels.odds.tall + 24;
  return [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = round(left + part * wide);
    return `<text class="soft" x="${at}" y="${bottom}" text-anchor="middle">${duration(part * spanMs)}</text>`;
  });
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

function add(one: LaneCounts, other: LaneCounts): LaneCounts {
  return { requests: one.requests + other.requests, failures: one.failures + other.failures };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
