import type { LaneCounts } from '../judge/verdict.ts';
import { type Bin, binned, ratioRequestsMin, spanOf } from './bins.ts';
import type { Story } from './story.ts';
import { duration, failedRatio } from './words.ts';

const cells = 48;
const levels = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The picture of a release for where no picture can be shown: a terminal, the page of a job. */
export function strip(story: Story): readonly string[] {
  const { settings } = story;
  const { begun, spanMs } = spanOf(story);
  const moments = binned(story, { binsMax: cells, requestsMin: 0 });
  const ratios = binned(story, { binsMax: cells, requestsMin: ratioRequestsMin });
  const row = (words: string, bins: readonly Bin[], part: (bin: Bin) => number, end: string) => {
    const at = (cell: number) => bins.find(({ to }) => to >= begun + ((cell + 0.5) / cells) * spanMs) ?? bins.at(-1);
    const bars = Array.from({ length: cells }, (_, cell) => barOf(at(cell), part)).join('');
    return `${words.padEnd(21)} ${bars}  ${end}`.trimEnd();
  };
  const most = Math.max(...ratios.flatMap(({ live, candidate }) => [ratioOf(live), ratioOf(candidate)]), 0.01);
  const failed = (lane: 'live' | 'candidate') =>
    row(
      `${lane} failed`,
      ratios,
      (bin) => ratioOf(bin[lane]) / most,
      `${sumOf(ratios, lane)}, █ ${+(100 * most).toPrecision(2)} %`,
    );
  const odds = (log: number | null, chance: number) => (log ?? 0) / Math.log(1 / chance);
  return [
    row("candidate's weight", moments, ({ last }) => last.share / 100, `${moments.at(-1)?.last.share ?? 0} %`),
    failed('live'),
    failed('candidate'),
    row('worse than tolerated', moments, ({ last }) => odds(last.verdict.logRollback, settings.alpha), '█ rolls back'),
    row('good enough', moments, ({ last }) => odds(last.verdict.logPromote, settings.beta), '█ promotes'),
    `${''.padEnd(21)} 0 s${duration(spanMs).padStart(cells - 3)}`,
  ];
}

/** Whatever is more than nothing can be seen; only what is whole is full. */
function barOf(bin: Bin | undefined, part: (bin: Bin) => number): string {
  const share = bin === undefined ? 0 : part(bin);
  const level = share <= 0 ? 0 : share >= 1 ? 8 : Math.max(1, Math.min(7, Math.round(8 * share)));
  return levels[level] ?? ' ';
}

function ratioOf({ requests, failures }: LaneCounts): number {
  return requests === 0 ? 0 : failures / requests;
}

function sumOf(bins: readonly Bin[], lane: 'live' | 'candidate'): string {
  const sum = (of: (counts: LaneCounts) => number) => bins.reduce((total, bin) => total + of(bin[lane]), 0);
  return failedRatio(
    sum(({ failures }) => failures),
    sum(({ requests }) => requests),
  );
}
