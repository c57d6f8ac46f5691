import type { Lane } from '../lane.ts';
import type { LaneLabels } from '../policy/look.ts';
import type { LaneRole } from '../policy/release.ts';
import type { Revision } from '../revision.ts';

/** Why an instance of a service does not come up or did not stay up. */
export type Failure = {
  readonly reason: 'image' | 'crash' | 'config' | 'schedule' | 'quota' | 'probe' | 'deadline';
  /** One sentence for a person. */
  readonly message: string;
  /** At most 20. */
  readonly logLines: readonly string[];
};

export type ServiceSeen = {
  /** Instances asked for. */
  readonly wanted: number;
  /** Instances of the set revision that run and say they are ready. */
  readonly ready: number;
  /** All instances that still exist, whatever their revision, those that are shutting down included. */
  readonly present: number;
  /** Instances among `present` that are of another revision than the set one. */
  readonly stale: number;
  /** The newest failure since the revision was set, or `undefined`. */
  readonly failure: Failure | undefined;
};

/**
 * `held`: its minimum is above what its owner wrote, since `scale()` or `keep()` and until `letGo()`. `free`: by its owner's bounds.
 * `lowered`: somebody else has written a lower minimum while it was held.
 */
export type Autoscaling = 'none' | 'free' | 'held' | 'lowered';

/** `revision` is the id that was set last, `undefined` before the first. */
export type LaneSeen = {
  readonly revision: string | undefined;
  readonly autoscaler: Autoscaling;
  /** As `label()` says; `undefined` where nobody can be shown any. */
  readonly labels: LaneLabels | undefined;
  readonly services: Readonly<Record<string, ServiceSeen>>;
};

/** The synthetic request of the start checks, sent straight to a proxy of the lane and answered through the lane. */
export type ProbeAnswer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly lane: string | undefined;
      readonly revision: string | undefined;
    }
  | { readonly kind: 'unanswered'; readonly why: string };

/** Runs the services of both lanes. Every command says what shall be and is safe to repeat. */
export interface Workload {
  /** Instances of another revision are replaced. Starts nothing by itself where the scale is 0. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  setRevision(lane: Lane, revision: Revision, signal: AbortSignal): Promise<void>;
  /**
   * The workers of the lane become those of `revision`, its proxies stay as they are; the lane has no whole revision until
   * `setRevision()`. Starts nothing by itself where the scale is 0. @throws {HeadgateError} `WORKLOAD_UNREACHABLE`
   */
  setWorkers(lane: Lane, revision: Revision, signal: AbortSignal): Promise<void>;
  /**
   * At least so many instances of each named service, whatever an autoscaler thinks, until `letGo()`; 0 is exact and means a graceful
   * stop. @throws {HeadgateError} `WORKLOAD_UNREACHABLE`
   */
  scale(lane: Lane, replicas: Readonly<Record<string, number>>, signal: AbortSignal): Promise<void>;
  /** Autoscalers of the lane take away nothing below these sizes until `letGo()`; no service is touched. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  keep(lane: Lane, replicas: Readonly<Record<string, number>>, signal: AbortSignal): Promise<void>;
  /** Autoscalers of the lane get back the bounds that their owner wrote. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  letGo(lane: Lane, signal: AbortSignal): Promise<void>;
  /**
   * Proxies of the lane end connections that were opened longer ago than this, such as websockets; whatever they answer just now is
   * answered. @throws {HeadgateError} `WORKLOAD_UNREACHABLE`
   */
  closeConnections(lane: Lane, olderThanMs: number, signal: AbortSignal): Promise<void>;
  /**
   * Shows people the role of the lane, and the release that brought what it holds, with the platform's own tools, if it has any. Nothing
   * restarts. `release` `undefined`: none is shown. @throws {HeadgateError} `WORKLOAD_UNREACHABLE`
   */
  label(lane: Lane, labels: { role: LaneRole; release: number | undefined }, signal: AbortSignal): Promise<void>;
  /** @throws {HeadgateError} `WORKLOAD_UNREACHABLE` */
  observe(lane: Lane, signal: AbortSignal): Promise<LaneSeen>;
  probe(lane: Lane, signal: AbortSignal): Promise<ProbeAnswer>;
}
