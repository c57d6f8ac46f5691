import type { AppLock, Journal, WishBox } from '../journal/journal.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { WorkQueue } from '../queue/queue.ts';
import type { TrafficRouter } from '../traffic/traffic.ts';
import type { Workload } from '../workload/workload.ts';

/** The ports that belong together, opened for one app. */
export interface Platform extends AsyncDisposable {
  readonly traffic: TrafficRouter;
  readonly workload: Workload;
  readonly metrics: Metrics;
  /** `undefined` for an app without a queue. */
  readonly queue: WorkQueue | undefined;
  readonly journal: Journal;
  readonly wishes: WishBox;
  readonly lock: AppLock;
}
