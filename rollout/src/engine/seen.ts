import type { Json } from '../journal/journal.ts';
import { type Lane, lanes } from '../lane.ts';
import { type EvidenceEntry, type EvidenceState, evidenceOf, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { forecastOf } from '../policy/forecast.ts';
import { isJudged } from '../policy/phase.ts';
import type { Release } from '../policy/release.ts';
import { ownLines } from '../report/explain.ts';
import type { Flow, Seen } from '../report/status.ts';

/** What `status` shows of a release's evidence. `isDriven`: while nobody drives nobody counts, and the last counts on record say nothing of now. */
export function seenOf(stored: readonly Json[], release: Release | undefined, isDriven: boolean): Seen {
  const entries = toEntries(stored);
  const state = fold(entries);
  const hold = entries.findLast((entry) => entry.kind === 'hold');
  const settings = state?.judge.settings;
  return {
    evidence:
      state === undefined || release === undefined || !isJudged(release.state.phase) ? undefined : evidenceOf(state, 0),
    forecast:
      state === undefined || release === undefined ? undefined : forecastOf(state, release.plan, release.state.phase),
    flows: isDriven ? flows(state, release) : { blue: undefined, green: undefined },
    uneven: isDriven && isUneven(state),
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

function isUneven(state: EvidenceState | undefined): boolean {
  return state !== undefined && state.recent.length > 0 && state.recent.every(({ sample }) => sample.uneven === true);
}

/** Rates of the last ten seconds on record. */
function flows(state: EvidenceState | undefined, release: Release | undefined): Seen['flows'] {
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
