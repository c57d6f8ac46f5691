import type { PerLane } from '../lane.ts';

/** Running totals of one lane since `epoch`. Readers use differences only. */
export type Totals = {
  readonly requests: number;
  /** 5xx, no answer, connection refused or reset, and clients gone after half the timeout. */
  readonly failed: number;
  /** 4xx. */
  readonly refused: number;
};

export type LaneTotals = {
  /** Requests that came by weight. */
  readonly weighted: Totals;
  /** Requests that came by a pin (people, A/B and Headgate's own probes): counted apart. */
  readonly pinned: Totals;
};

/** `epoch` changes when any counter may have begun anew: then totals from before say nothing. */
export type MetricsSeen = {
  readonly epoch: string;
  readonly lanes: PerLane<LaneTotals>;
  /**
   * A process is new, gone, silent or back: what came since the reading before may lack what it counted, or hold what it counted before
   * that, and says nothing of how requests were shared out. By default it is not so.
   */
  readonly uneven?: boolean | undefined;
};

/** Counts per lane, taken at the router first: a crashed candidate cannot report itself. */
export interface Metrics {
  /** @throws {HeadgateError} `METRICS_UNREACHABLE` */
  observe(signal: AbortSignal): Promise<MetricsSeen>;
}
