import { withDeadline } from '../deadline.ts';
import { type Counts, countsOnly, type Sample } from '../judge/sample.ts';
import { type Instant, otherLane, type PerLane, type Weights } from '../lane.ts';
import { difference } from '../metrics/difference.ts';
import type { LaneTotals, MetricsSeen } from '../metrics/metrics.ts';
import type { Platform } from '../platform/platform.ts';
import { type EvidenceEntry, type EvidenceState, evidenceOf, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { isTooThin } from '../policy/forecast.ts';
import type { Evidence } from '../policy/look.ts';
import { isJudged } from '../policy/phase.ts';
import type { Decision, Release } from '../policy/release.ts';
import { settingsFor } from '../policy/settings.ts';
import { weightsAt } from '../policy/weights.ts';
import type { ReleaseSpec } from '../spec.ts';
import { EvidenceLog } from './evidence-log.ts';
import { lagsOf } from './lags.ts';
import type { Emit } from './occurrence.ts';
import { type OwnLook, openOwnLook } from './own-look.ts';
import { Shares } from './shares.ts';
import { openSlowLook, type SlowLook, type SlowSeen } from './slow-look.ts';
import { expectedOf, partsOf, primesOf } from './slow-parts.ts';
import type { Sights } from './watcher.ts';

/** What the judge has read of the running release, kept in the journal as it is read. */
export interface EvidenceBook {
  /** Adds what was counted since the last look. `alert`: the candidate has begun to fail, look more often. */
  take(
    release: Release,
    sights: Sights,
    at: Instant,
    signal: AbortSignal,
  ): Promise<{ evidence: Evidence; alert: boolean }>;
  /** Counts up to this moment, then closes the judge's blocks: a block must not straddle a weight change. */
  beforeWeights(release: Release, weights: Weights, at: Instant, signal: AbortSignal): Promise<void>;
  /** Writes down why the release does not go on, when that changes. */
  note(decision: Decision, at: Instant): void;
  flush(release: Release, signal: AbortSignal): Promise<void>;
}

const readMaxMs = 1_000;

/** Reads back what an earlier driver of this release wrote, so that the judge goes on where it was. */
export async function openEvidence(
  ports: Platform,
  { spec, emit, lost }: { readonly spec: ReleaseSpec; readonly emit: Emit; readonly lost: AbortSignal },
  release: Release | undefined,
): Promise<EvidenceBook> {
  const written =
    release === undefined ? [] : ((await ports.journal.readEvidence(release.id, lost)) as unknown as EvidenceEntry[]);
  const looks = { slow: openSlowLook(ports, emit, lost), own: openOwnLook(spec.metrics, { emit, lost }) };
  return new OpenEvidence(ports, spec, looks, { release: release?.id, written });
}

class OpenEvidence implements EvidenceBook {
  readonly #ports: Platform;
  readonly #spec: ReleaseSpec;
  #release: number | undefined;
  #state: EvidenceState | undefined;
  readonly #log: EvidenceLog;
  #mark: { readonly seen: MetricsSeen; readonly at: Instant } | undefined;
  #seenAt: Instant | undefined;
  #shares: Shares;
  #hold = '';
  readonly #slow: SlowLook;
  readonly #own: OwnLook;

  constructor(
    ports: Platform,
    spec: ReleaseSpec,
    { slow, own }: { readonly slow: SlowLook; readonly own: OwnLook },
    { release, written }: { readonly release: number | undefined; readonly written: readonly EvidenceEntry[] },
  ) {
    this.#ports = ports;
    this.#log = new EvidenceLog(ports.journal);
    this.#spec = spec;
    this.#slow = slow;
    this.#own = own;
    this.#release = release;
    const [first, ...rest] = written;
    if (first?.kind === 'start') this.#state = rest.reduce(foldEvidence, startEvidence(first.settings));
    this.#shares = new Shares(written.findLast((entry) => entry.kind === 'share')?.share);
  }

  async take(
    release: Release,
    sights: Sights,
    at: Instant,
    signal: AbortSignal,
  ): Promise<{ evidence: Evidence; alert: boolean }> {
    await this.#begin(release, at, signal);
    const alert =
      sights.metrics !== undefined &&
      this.#count(release, sights.metrics, { sights, slow: this.#judgesSlow ? this.#slow.poll(at) : undefined }, at);
    if (this.#state !== undefined && !this.#state.judge.thin && isTooThin(this.#state, release, at))
      this.#add({ kind: 'thin', at });
    this.#seenAt = sights.metrics === undefined ? (this.#seenAt ?? at) : at;
    this.#log.flushIfDue(release.id, at, signal);
    const state = this.#state ?? startEvidence(settingsFor(release.plan, this.#spec, []));
    return { evidence: evidenceOf(state, at - this.#seenAt, release), alert: alert || state.verdict.logRollback > 0 };
  }

  async beforeWeights(release: Release, weights: Weights, at: Instant, signal: AbortSignal): Promise<void> {
    const share = weights[release.candidate];
    if (share === this.#shares.asked || this.#state?.judge.kind === 'watch') return;
    const within = withDeadline(signal, readMaxMs);
    const [counts, slow] = await Promise.allSettled([
      this.#ports.metrics.observe(within),
      this.#judgesSlow ? this.#slow.fresh(at, within) : undefined,
    ]);
    const slowSeen = slow.status === 'fulfilled' ? slow.value : undefined;
    // Without this reading the open block ends a little earlier; nothing wrong is counted.
    if (counts.status === 'fulfilled') this.#count(release, counts.value, { sights: undefined, slow: slowSeen }, at);
    if (slowSeen === undefined) this.#slow.forget(); // The next stretch would straddle the change.
    this.#own.forget(at);
    this.#shares.asked = share;
    this.#add({ kind: 'share', share });
  }

  note({ hold, why }: Decision, at: Instant): void {
    // Each reason of a router is news; the judge's words are other ones at every look.
    const told = hold === 'unconfirmed' ? why : (hold ?? '');
    if (told === this.#hold) return;
    this.#hold = told;
    this.#log.hasten(); // `status` must not show an old reason for long.
    this.#add({ kind: 'hold', at, reason: hold ?? '', why });
  }

  flush(release: Release, signal: AbortSignal): Promise<void> {
    return this.#log.flush(release.id, signal);
  }

  /** A release's first look starts its judge; the promotion starts the watch. */
  async #begin(release: Release, at: Instant, signal: AbortSignal): Promise<void> {
    if (this.#release !== release.id) {
      this.#state = undefined;
      this.#shares = new Shares();
    }
    this.#release = release.id;
    if (this.#state === undefined) {
      const seen = await expectedOf(this.#ports, this.#slow, release, { at, signal });
      const settings = settingsFor(release.plan, this.#spec, seen.tells);
      this.#state = startEvidence(settings);
      this.#log.add({ kind: 'start', settings });
      if (seen.past !== undefined) this.#add({ kind: 'prime', at, ...nothing, ...seen.past });
    }
    if (release.state.phase.kind === 'watching' && this.#state.judge.kind === 'comparison')
      this.#add({ kind: 'watch' });
  }

  get #judgesSlow(): boolean {
    return this.#state?.judge.kind === 'comparison' && this.#state.judge.settings.slow.length > 0;
  }

  /** @returns whether the candidate failed in this stretch */
  #count(release: Release, seen: MetricsSeen, beside: Beside, at: Instant): boolean {
    const before = this.#mark;
    this.#mark = { seen, at };
    const counts = before && difference(before.seen, seen);
    if (before === undefined || counts === undefined || at <= before.at) return false;
    const seconds = (at - before.at) / 1_000;
    const { candidate, state } = release;
    const { phase } = state;
    if (phase.kind === 'closing' || phase.kind === 'starting') {
      const live = counts[otherLane(candidate)].weighted;
      const past = { ...primesOf(beside.slow, candidate), own: this.#ownPast(release, at) };
      this.#add({ kind: 'prime', at, seconds, live, ...past });
      return false;
    }
    if (!isJudged(phase)) return false;
    if (phase.kind === 'comparing') this.#addOwnPast(release, at);
    this.#sample(release, counts, beside, { seconds, at, uneven: seen.uneven });
    const traffic = beside.sights?.traffic;
    if (traffic?.kind === 'agreed') this.#confirm(release, traffic.weights[candidate], at);
    return judgedOf(release, counts[candidate]).failed > 0;
  }

  #sample(
    release: Release,
    counts: PerLane<LaneTotals>,
    { sights, slow }: Beside,
    { seconds, at, uneven }: { readonly seconds: number; readonly at: Instant } & Pick<MetricsSeen, 'uneven'>,
  ): void {
    const { candidate, state } = release;
    const { phase } = state;
    const lags = sights === undefined ? undefined : lagsOf(sights);
    const [live, own] = [counts[otherLane(candidate)], counts[candidate]];
    const isComparing = phase.kind === 'comparing';
    const isProbed = isComparing || (this.#state?.judge.settings.compare === 'both' && phase.kind !== 'watching');
    const sample: Sample = {
      seconds,
      candidateShare: phase.kind === 'watching' ? 100 : this.#shares.least,
      ...(uneven === true ? { uneven } : {}),
      live: live.weighted,
      candidate: judgedOf(release, own),
      queue: lags && { liveOldestMs: lags[otherLane(candidate)].oldestMs, candidateOldestMs: lags[candidate].oldestMs },
      probes: isProbed ? { live: live.pinned, candidate: own.pinned } : undefined,
      ...partsOf(slow, candidate),
      ...(isComparing ? { own: undefined, values: undefined } : this.#own.poll(candidate, at)),
    };
    this.#add({ kind: 'sample', at, sample, lags: lags ?? null });
  }

  /**
   * Counts up to here may hold requests of the old weight; those from here on are of the confirmed one. The counts of a look may be
   * seconds older than what the router says in it: only those of the next look are surely of a weight that was in force before them.
   */
  #confirm(release: Release, share: number, at: Instant): void {
    const isOlder = this.#shares.agree(share);
    // Another hand's, or a dead driver's, is none to judge by.
    if (!isOlder || share !== weightsAt(release, release.state.phase)[release.candidate]) return;
    // Asked for by a driver that was gone before it had written so.
    if (share !== this.#shares.asked && this.#state?.judge.kind !== 'watch') this.#add({ kind: 'share', share });
    if (this.#shares.confirm(share)) this.#own.forget(at);
  }

  /** Before the candidate has users' requests, all that the user's own metrics say is live's past. */
  #addOwnPast(release: Release, at: Instant): void {
    const own = this.#ownPast(release, at);
    if (own !== undefined) this.#add({ kind: 'prime', at, ...nothing, own });
  }

  #ownPast({ former }: Release, at: Instant): ReturnType<OwnLook['past']> {
    return former === undefined ? undefined : this.#own.past(former, at);
  }

  #add(entry: EvidenceEntry): void {
    if (this.#state !== undefined) this.#state = foldEvidence(this.#state, entry);
    this.#log.add(entry);
  }
}

/** What is read beside the router's counts. */
type Beside = { readonly sights: Sights | undefined; readonly slow: SlowSeen | undefined };

/** Nobody but those who are pinned is in an A/B test; some routers count them among the others. */
function judgedOf({ plan, state }: Release, { weighted: a, pinned: b }: LaneTotals): Counts {
  if (plan.strategy !== 'ab' || state.phase.kind === 'watching') return a;
  return { requests: a.requests + b.requests, failed: a.failed + b.failed, refused: a.refused + b.refused };
}

const nothing = { ...countsOnly, seconds: 0, live: { requests: 0, failed: 0, refused: 0 } };
