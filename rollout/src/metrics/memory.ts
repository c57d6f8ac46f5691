import type { Lane } from '../lane.ts';
import type { LaneTotals, Metrics, Totals } from './metrics.ts';

/** Counts what it is told. */
export interface MemoryMetrics extends Metrics {
  count(lane: Lane, way: keyof LaneTotals, outcome: 'passed' | 'failed' | 'refused', requests?: number): void;
  /** As when the router begins anew. */
  reset(): void;
}

export function openMemoryMetrics(): MemoryMetrics {
  let epoch = 1;
  let totals = noTotals();
  return {
    async observe(signal) {
      signal.throwIfAborted();
      return structuredClone({ epoch: String(epoch), lanes: totals });
    },
    count(lane, way, outcome, requests = 1) {
      const counted = totals[lane][way];
      counted.requests += requests;
      if (outcome !== 'passed') counted[outcome] += requests;
    },
    reset() {
      epoch += 1;
      totals = noTotals();
    },
  };
}

type Counting = { -readonly [count in keyof Totals]: number };

function noTotals(): Record<Lane, Record<keyof LaneTotals, Counting>> {
  const none = (): Counting => ({ requests: 0, failed: 0, refused: 0 });
  return { blue: { weighted: none(), pinned: none() }, green: { weighted: none(), pinned: none() } };
}
