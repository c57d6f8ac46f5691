import { type Lane, lanes } from '../lane.ts';
import { isOver } from '../policy/phase.ts';
import { weightsAt } from '../policy/weights.ts';
import { phaseText, type StatusFacts } from './status.ts';
import { failedRatio, odds, short } from './words.ts';

const barCells = 30;
/** Eighths of a cell, so that 5 % can be told from 6 %. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Both lanes as one looks at a canal: how far each gate is open, what flows, and what the judge makes of it. */
export function picture(facts: StatusFacts): readonly string[] {
  const { head, now } = facts;
  const { release } = head;
  const what =
    release === undefined
      ? 'nothing has been released yet'
      : `release ${release.id} · ${release.plan.strategy} · ${phaseText(release, now)}`;
  return [
    `${head.app} · ${what}`,
    '',
    ...lanes.map((lane) => laneLine(facts, lane)),
    '',
    ...evidenceLines(facts),
    `because     ${because(facts)}`,
  ];
}

function laneLine(facts: StatusFacts, lane: Lane): string {
  const { head } = facts;
  const { release } = head;
  const weight = release === undefined ? 0 : weightsAt(release, release.state.phase)[lane];
  const revision = head.lanes[lane];
  const flow = facts.flows[lane];
  const traffic =
    flow === undefined
      ? ''
      : `${flow.perSecond.toFixed(0).padStart(4)} req/s  ${failedRatio(flow.failed, flow.requests).padStart(8)} failed  lag ${flow.lag ?? '-'}`;
  return `${lane.padEnd(6)}${`${weight} %`.padStart(6)} ${bar(weight / 100)} ${(revision === undefined ? '-' : short(revision.id)).padEnd(8)} ${roleOf(facts, lane).padEnd(10)}${traffic}`.trimEnd();
}

function roleOf({ head }: StatusFacts, lane: Lane): string {
  const { release } = head;
  if (head.live === lane) return 'live';
  if (head.lanes[lane] === undefined) return '';
  return release !== undefined && release.candidate === lane && !isOver(release.state.phase) ? 'candidate' : 'warm';
}

function evidenceLines({ evidence, needed }: StatusFacts): readonly string[] {
  if (evidence === undefined) return [];
  const line = (words: string, log: number, limit: number, end: string) =>
    `${words.padEnd(21)} ${odds(log).padStart(8)} ${bar(Math.min(1, Math.max(0, log / limit)), 20)} ${end} at ${odds(limit)}`;
  const bad = line('worse than tolerated', evidence.logRollback, needed.rollback, 'rolls back');
  return evidence.logPromote === undefined
    ? [bad, '']
    : [bad, line('good enough', evidence.logPromote, needed.promote, 'promotes'), ''];
}

function because({ head, hold }: StatusFacts): string {
  const phase = head.release?.state.phase;
  if (phase?.kind === 'rollingBack' || phase?.kind === 'returning' || phase?.kind === 'rolledBack')
    return phase.reason.text;
  return hold?.why ?? 'nothing is in the way';
}

/** `share` 0 to 1. */
function bar(share: number, cells = barCells): string {
  const filled = Math.round(share * cells * 8);
  const text = '█'.repeat(Math.floor(filled / 8)) + (eighths[filled % 8] ?? '');
  return text.padEnd(cells, '░');
}
