import type { Instant, Lane, PerLane, Pin, Weights } from '../lane.ts';
import type { Marker } from '../pin.ts';
import type { Forecast } from './forecast-text.ts';
import type { LaneRole } from './release.ts';

/** All that was seen of the world at one moment. `undefined` always means: could not be seen, never: nothing there. */
export type Look = {
  readonly now: Instant;
  /** What every replica of the data plane does; `undefined` until they agree. */
  readonly weights: Weights | undefined;
  /** Who else wrote last: then `weights` are what is asked of the router, and nothing is confirmed. `undefined`: nobody, or it is not told. */
  readonly writer: string | undefined;
  /** Empty when they could not be seen: a phase that needs one asks again. */
  readonly pins: readonly Pin[];
  /** Why the router cannot do what it was asked last; `undefined`: it can, or was asked nothing. */
  readonly cannot: string | undefined;
  /** Why `weights` could not be seen, in the router's words. */
  readonly pending: string | undefined;
  /** How the release's migration stands: looked at only while its lane is closed. */
  readonly migration: MigrationLook | undefined;
  readonly lanes: PerLane<LaneLook>;
  readonly evidence: Evidence;
  readonly wishes: readonly WishSeen[];
};

export type MigrationLook =
  | { readonly kind: 'absent' | 'done' }
  | { readonly kind: 'running'; readonly text: string | undefined }
  | { readonly kind: 'failed'; readonly text: string };

export type LaneLook = {
  readonly workload: WorkloadLook | undefined;
  /** `undefined` also for an app without a queue. */
  readonly queue: QueueLook | undefined;
  /** For how long the lane has been without a ready proxy or without a live worker, in ms, in looks without a gap; 0 when it has both or was not seen. */
  readonly downMs: number;
  /** It has both, as far as anybody can see, and has had them for a second if it was seen without. */
  readonly stands: boolean;
  /** The synthetic request of the start checks: sent only while a candidate starts. */
  readonly probe: 'passed' | 'failed' | 'not asked';
};

export type WorkloadLook = {
  readonly revision: string | undefined;
  readonly proxies: Instances;
  readonly workers: Instances;
  /** Ready instances by service. */
  readonly ready: Readonly<Record<string, number>>;
  /** `held`: it may not go as low as its owner allows. */
  readonly autoscaler: 'none' | 'free' | 'held' | 'lowered';
  /** Newest failure as one sentence, with the reason first, or `undefined`. */
  readonly failure: string | undefined;
  /** What it said last, in short lines; `undefined`: nothing failed, or another decision than the way back was taken from this look. */
  readonly logLines: readonly string[] | undefined;
  /** What is shown of the lane to people; `undefined`: this platform shows nothing. */
  readonly labels: LaneLabels | undefined;
};

/** `release`: the one that brought what the lane holds. `undefined`: not told yet, or not by every object of the lane. */
export type LaneLabels = { readonly role: LaneRole | undefined; readonly release: number | undefined };

/** Over all services of the kind. `complete`: each has as many ready ones of the set revision as it was asked for, and no other revision is left. */
export type Instances = { readonly ready: number; readonly present: number; readonly complete: boolean };

export type QueueLook = {
  readonly messages: number;
  /** Stream sequence of the newest message that ever came. */
  readonly lastSeq: number;
  /** On every consumer of the lane somebody waits for work. */
  readonly waiting: boolean;
  readonly fencedMs: number;
  readonly sources: readonly Lane[];
  /** Nothing pending and nothing unacked in two looks running. */
  readonly drained: boolean;
  /** Messages that no consumer will get any more, in two looks running, and the last stream sequence that was delivered. */
  readonly dead: number;
  readonly deliveredStreamSeq: number;
  /** Messages that left the lane per second, when it was last seen to work; `undefined`: it was not. */
  readonly donePerSec: number | undefined;
  /** Of the slowest consumer. */
  readonly ackWaitMs: number;
};

/** What the judge says now. */
export type Evidence = {
  readonly verdict: 'promote' | 'hold' | 'rollback';
  /** Natural logs of the odds; `logPromote` is `undefined` where nothing is compared (after promotion). */
  readonly logRollback: number;
  readonly logPromote: number | undefined;
  /** Share of the evidence that promotion needs, 0 to 1. */
  readonly progress: number;
  /** The judge's words. */
  readonly text: string;
  /** For how long the counts could not be read, in ms. */
  readonly blindMs: number;
  /** No request was counted in the last ten looks. */
  readonly idle: boolean;
  /** A part of the evidence that live could tell at the start has not been read for a minute. */
  readonly unread: boolean;
  /** Users send too little for the deadline: synthetic requests decide about the promotion. */
  readonly thin: boolean;
  /** `undefined` without users' requests, and where nothing is compared by them. */
  readonly forecast: Forecast | undefined;
};

export type Act = 'promote' | 'step' | 'rollback' | 'hold' | 'resume';

export type WishSeen = {
  readonly id: string;
  /** The release that is meant; `undefined`: whichever runs. */
  readonly release: number | undefined;
  readonly actor: string;
  readonly reason: string;
} & Wanted;

export type Wanted =
  /** `step`, for the act of that name: the one that whoever asked saw, so that two who ask at once do not go two steps. */
  | { readonly act: Act; readonly step: number | undefined }
  /** `to`: `live`, `candidate`, or a revision by its first digits. */
  | { readonly act: 'pin'; readonly marker: Marker; readonly to: string }
  | { readonly act: 'unpin'; readonly marker: Marker };

export const noEvidence: Evidence = {
  verdict: 'hold',
  logRollback: 0,
  logPromote: undefined,
  progress: 0,
  text: 'no evidence yet',
  blindMs: 0,
  idle: true,
  unread: false,
  thin: false,
  forecast: undefined,
};
