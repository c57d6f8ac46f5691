import type { Json, Records } from '../journal/journal.ts';
import { instant, type Lane, lanes } from '../lane.ts';
import { type EvidenceEntry, type EvidenceState, evidenceOf, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { forecastOf } from '../policy/forecast.ts';
import { isJudged } from '../policy/phase.ts';
import type { Release } from '../policy/release.ts';
import { ownLines } from '../report/explain.ts';
import type { FirstFacts, Flow, StatusFacts } from '../report/status.ts';
import type { Spec } from '../spec.ts';
import { readHead } from './book.ts';

/**
 * Everything that `status` shows, from the journal alone: nobody asks the engine.
 *
 * @param seen hears of the head as soon as it is there, which is before anybody asks for the evidence
 * @throws {HeadgateError} `JOURNAL_UNREADABLE`
 */
export async function readStatus(
  records: Records,
  spec: Spec,
  signal: AbortSignal,
  seen: (first: FirstFacts) => void = () => {},
): Promise<StatusFacts> {
  const now = instant(Date.now());
  const [head, holding] = await Promise.all([
    readHead(records.journal, spec.app, signal).then((head) => {
      seen({ head, now });
      return head;
    }),
    records.lock.holding(signal),
  ]);
  const driver = holding?.holder;
  const entries =
    head.release === undefined ? [] : toEntries(await records.journal.readEvidence(head.release.id, signal));
  const state = fold(entries);
  const hold = entries.findLast((entry) => entry.kind === 'hold');
  const settings = state?.judge.settings;
  return {
    head,
    driver,
    now,
    evidence:
      state === undefined || head.release === undefined || !isJudged(head.release.state.phase)
        ? undefined
        : evidenceOf(state, 0),
    forecast:
      state === undefined || head.release === undefined
        ? undefined
        : forecastOf(state, head.release.plan, head.release.state.phase),
    // While nobody drives nobody counts, and the last counts on record say nothing of now.
    flows: driver === undefined ? { blue: undefined, green: undefined } : flows(state, head.release),
    metrics: state === undefined ? [] : ownLines(state.verdict, state.judge.settings),
    hold: hold === undefined || hold.reason === '' ? undefined : { reason: hold.reason, why: hold.why },
    needed: { rollback: Math.log(1 / (settings?.alpha ?? 0.01)), promote: Math.log(1 / (settings?.beta ?? 0.01)) },
  };
}

/** The judge after all evidence on record; `undefined` when there is none. */
export function fold(entries: readonly EvidenceEntry[]): EvidenceState | undefined {
  const [first, ...rest] = entries;
  return first?.kind === 'start' ? rest.reduce(foldEvidence, startEvidence(first.settings)) : undefined;
}

export function toEntries(stored: readonly Json[]): readonly EvidenceEntry[] {
  return stored as unknown as readonly EvidenceEntry[]; // Only the engine appends evidence.
}

/** Rates of the last ten seconds on record. */
function flows(state: EvidenceState | undefined, release: Release | undefined): StatusFacts['flows'] {
  if (state === undefined || release === undefined || state.recent.length === 0)
    return { blue: undefined, green: undefined };
  const flow = (lane: Lane): Flow => {
    const side = lane === release.candidate ? 'candidate' : 'live';
    const seconds = state.recent.reduce((sum, { sample }) => sum + sample.seconds, 0);
    const requests = state.recent.reduce((sum, { sample }) => sum + sample[side].requests, 0);
    const failed = state.recent.reduce((sum, { sample }) => sum + sample[side].failed, 0);
    const lags = state.recent.findLast((entry) => entry.lags !== null)?.lags;
    return { requests, failed, perSecond: requests / seconds, lag: lags?.[lane].lag, oldestMs: lags?.[lane].oldestMs };
  };
  const [blue, green] = lanes.map(flow);
  return { blue, green };
}
