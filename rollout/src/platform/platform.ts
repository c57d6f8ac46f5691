import type { AppLock, Journal, WishBox } from '../journal/journal.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Processes } from '../metrics/processes.ts';
import type { Migrations } from '../migration/migration.ts';
import type { WorkQueue } from '../queue/queue.ts';
import type { RouterRequest, TrafficRouter } from '../traffic/traffic.ts';
import type { ProbeAnswer, Workload } from '../workload/workload.ts';
import type { Herald } from './herald.ts';

/** The ports that belong together, opened for one app. */
export interface Platform extends AsyncDisposable {
  readonly traffic: TrafficRouter;
  readonly workload: Workload;
  readonly metrics: Metrics;
  /** `undefined` where the lanes' own processes cannot be asked. */
  readonly processes: Processes | undefined;
  readonly migrations: Migrations;
  /** `undefined` for an app without a queue. */
  readonly queue: WorkQueue | undefined;
  readonly journal: Journal;
  readonly wishes: WishBox;
  readonly lock: AppLock;
  /** Told by whoever drives of each decision; `undefined`: nobody looks here with other tools than ours. Closed with the platform. */
  readonly herald: Herald | undefined;
  /** The driver's number in the journal. Every write from now on carries it, where the platform has a place for it. */
  setFence(fence: number): void;
  /** Sends one request through the router, as a user would, and answers once it is over. */
  send(request: RouterRequest, signal: AbortSignal): Promise<ProbeAnswer>;
}
