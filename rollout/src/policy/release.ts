import type { Instant, Lane, PerLane, Pin, Weights } from '../lane.ts';
import type { Marker } from '../pin.ts';
import type { Revision } from '../revision.ts';
import type { Adoption, MigrateSpec, Spec, SyntheticSpec } from '../spec.ts';
import type { Ancestry } from './ancestry.ts';
import type { Look } from './look.ts';
import type { HoldReason, Phase } from './phase.ts';

/** What a release was started with: everything `decide` needs that does not change while it runs. Times in ms. */
export type Plan = {
  /** `restore` is a rollback after keepWarm: start checks, then 100 at once. */
  readonly strategy: 'canary' | 'blue-green' | 'ab' | 'first' | 'restore';
  /** Candidate's weights before promotion, whole percent, rising; one of 0 for an A/B test, none for the others. */
  readonly steps: readonly number[];
  /** What an A/B test sends to the candidate; none for the others. */
  readonly pins: readonly Marker[];
  readonly bakeMs: number;
  /** What is sent to both lanes where users' requests are too few for the deadline. */
  readonly synthetic: SyntheticSpec | undefined;
  readonly deadlineMs: number;
  readonly atDeadline: 'hold' | 'rollback';
  readonly watchMs: number;
  readonly keepWarmMs: number;
  /** `undefined`: begun by a Headgate that closed no connections. */
  readonly connectionGraceMs: number | undefined;
  /** What becomes of the candidate's messages on the way back. */
  readonly adopt: Adoption;
  /** What live runs: the candidate's workers may become that on the way back. `undefined`: nothing is live yet. */
  readonly redeploy: Revision | undefined;
  /** `undefined`: nothing is done to the data before the candidate starts. */
  readonly migrate: MigrateSpec | undefined;
  readonly approve: boolean;
  /** The start checks must be done by then. */
  readonly startMs: number;
  /** Instances per service, proxies and workers apart: they come and go in a fixed order. */
  readonly proxies: Readonly<Record<string, number>>;
  readonly workers: Readonly<Record<string, number>>;
  /** What live's own template asks for, by service; empty before the first release. */
  readonly liveSizes: Readonly<Record<string, number>>;
  readonly queue: boolean;
  /** What an earlier release left in the lane is answered with 503 and not waited for. `undefined`: begun by a Headgate that always waited. */
  readonly deadLetterBacklog: boolean | undefined;
  /** `overwrite` where a raised weight can only be a dead driver's late write (HAProxy). */
  readonly raisedWeight: 'overwrite' | 'hold';
};

/** The part of a release that decisions change. */
export type ReleaseState = {
  readonly phase: Phase;
  /** The lane with the live role now; `undefined` before the first promotion ever. */
  readonly live: Lane | undefined;
  /** Services of live that an autoscaler, or a person, made larger than its template says: the most ready instances seen in this release. */
  readonly peak: Readonly<Record<string, number>>;
  readonly held: Held | undefined;
  /** The newest first, as the first that fits wins. They go from release to release. */
  readonly pins: readonly RolePin[];
};

/** A pin as people mean it. Its lane is found at each decision, so it stays right when the roles swap. */
export type RolePin = Marker & {
  readonly to: PinTarget;
  readonly actor: string;
  readonly reason: string;
  readonly since: Instant;
  /** It belongs to the A/B test of its release, and ends with it. */
  readonly test: boolean;
  /** Who waits to hear that the router does it; `undefined`: nobody. */
  readonly wish: string | undefined;
};

export type PinTarget =
  | { readonly kind: 'live' | 'candidate' }
  | { readonly kind: 'revision'; readonly id: string }
  /** Taken off; it stands here until the router is seen without it. */
  | { readonly kind: 'nobody' };

export type Held = { readonly actor: string; readonly reason: string; readonly since: Instant };

/** One attempt to make the candidate lane live. The role became a lane once, when it started. */
export type Release = {
  readonly id: number;
  readonly revision: Revision;
  readonly candidate: Lane;
  /** The lane that was live at the start; `undefined` for the first release. */
  readonly former: Lane | undefined;
  /** What that lane holds. */
  readonly formerRevision: string | undefined;
  readonly plan: Plan;
  readonly actor: string;
  readonly reason: string;
  readonly startedAt: Instant;
  /** Value of the header by which Headgate's own requests reach a lane whatever the weights; made anew for each release. */
  readonly probe: string;
  readonly state: ReleaseState;
};

/** What to do to the world. Each says what shall be, so that repeating it is safe. */
export type Command =
  | { readonly kind: 'setWeights'; readonly weights: Weights }
  | { readonly kind: 'setPins'; readonly pins: readonly Pin[] }
  | { readonly kind: 'migrate'; readonly lane: Lane }
  | { readonly kind: 'setRevision'; readonly lane: Lane }
  | { readonly kind: 'scale'; readonly lane: Lane; readonly replicas: Readonly<Record<string, number>> }
  | { readonly kind: 'keep'; readonly lane: Lane; readonly replicas: Readonly<Record<string, number>> }
  | { readonly kind: 'letGo'; readonly lane: Lane }
  | { readonly kind: 'closeConnections'; readonly lane: Lane; readonly olderThanMs: number }
  | { readonly kind: 'redeploy'; readonly lane: Lane; readonly replicas: Readonly<Record<string, number>> }
  | { readonly kind: 'setSources'; readonly lane: Lane; readonly sources: readonly Lane[] }
  | { readonly kind: 'fence'; readonly lane: Lane; readonly forMs: number }
  | { readonly kind: 'unfence'; readonly lane: Lane }
  | { readonly kind: 'disposeDead'; readonly lane: Lane; readonly upToStreamSeq: number }
  | { readonly kind: 'answerLeft'; readonly lane: Lane; readonly upToStreamSeq: number }
  | { readonly kind: 'label'; readonly lane: Lane; readonly role: LaneRole; readonly release: number | undefined };

/** `adopting`: it is live, and works off the candidate's messages too. `idle`: it is at zero, or about to be. */
export type LaneRole = 'live' | 'candidate' | 'warm' | 'adopting' | 'idle';

/** What `decide` answers. `why` is one sentence; `hold` names why nothing moves, `undefined` when it does. */
export type Decision = {
  readonly state: ReleaseState;
  readonly commands: readonly Command[];
  readonly why: string;
  readonly hold: HoldReason | undefined;
  readonly answers: readonly WishAnswer[];
};

/** How a wish ended; whoever made it reads this in the journal. */
export type WishAnswer = {
  readonly id: string;
  /** `nothing`: it is live already. `begun`: the release of that number is under way. */
  readonly kind: 'done' | 'refused' | 'quarantined' | 'superseded' | 'nothing' | 'begun';
  readonly text: string;
  readonly release?: number;
};

/** A decision that changed something, with all that is needed to take it again. */
export type DecisionRecord = {
  readonly release: number;
  readonly look: Look;
  readonly before: ReleaseState;
  readonly after: ReleaseState;
  readonly commands: readonly Command[];
  readonly why: string;
};

/** How a release ended, for `history`. */
export type Ended = {
  readonly id: number;
  readonly revision: string;
  readonly commit: string | undefined;
  readonly strategy: Plan['strategy'] | 'rolling';
  readonly actor: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly outcome: 'promoted' | 'rolledBack';
  readonly text: string;
};

/** Another revision on its way into the live lane itself, instance by instance. Its number is one of the releases'. */
export type Rolling = {
  readonly id: number;
  readonly revision: Revision;
  readonly actor: string;
  readonly reason: string;
  readonly startedAt: Instant;
};

/** A revision that was rolled back does not come back by itself. */
export type Quarantined = { readonly revision: string; readonly release: number; readonly text: string };

/** What somebody asks to be released. */
export type ReleaseRequest = {
  readonly revision: Revision;
  /** Services that have what live had, as nobody named an image of theirs. Absent: none. */
  readonly unnamed?: readonly string[];
  readonly actor: string;
  readonly reason: string;
  readonly ancestry: Ancestry;
  /** A named person wants a quarantined revision all the same. */
  readonly insist: boolean;
  readonly hotfix: boolean;
  /** What an earlier release left in the lane is not worked off: each message goes to the dead letters, and its client hears 503. */
  readonly deadLetterBacklog: boolean;
  /** A random value, for `Release.probe`. */
  readonly probe: string;
};

/** All that whoever drives needs to begin a release: it travels in the wish, so that no checkout is needed. */
export type Order = {
  readonly request: ReleaseRequest;
  readonly spec: Spec;
  /** It is the way back after keepWarm: no steps. */
  readonly restores: boolean;
  /** The release to go back from, as whoever asked knows it; absent: whichever came last. */
  readonly from?: number;
};

/** The release that waits for the running one; the newest wins. `id`: of the wish. */
export type Waiting = {
  readonly id: string;
  readonly order: Order;
  /** Ids of earlier wishes for the same revision. */
  readonly joined?: readonly string[];
  /** The wish that whoever made it takes back by this one, for which nothing waits then. */
  readonly withdraws?: string;
};

/** The head of the journal: all that is true about an app now. */
export type Head = {
  readonly app: string;
  readonly fence: number;
  readonly live: Lane | undefined;
  /** What each lane holds; `undefined` when it is at zero. */
  readonly lanes: PerLane<Revision | undefined>;
  readonly release: Release | undefined;
  /** Live holds some of it until it has ended; `undefined`: none is under way. */
  readonly rolling: Rolling | undefined;
  readonly nextRelease: number;
  /** Newest last, at most 50. */
  readonly decisions: readonly DecisionRecord[];
  /** Newest last, at most 50. */
  readonly history: readonly Ended[];
  /** The last five that were live, newest last. */
  readonly revisions: readonly Revision[];
  readonly quarantined: readonly Quarantined[];
  /** Newest last, at most 50. */
  readonly answers: readonly WishAnswer[];
  readonly waiting: Waiting | undefined;
  /** headgate.yaml of the newest release that began. */
  readonly spec: Spec | undefined;
};

export function emptyHead(app: string): Head {
  return {
    app,
    fence: 0,
    live: undefined,
    lanes: { blue: undefined, green: undefined },
    release: undefined,
    rolling: undefined,
    nextRelease: 1,
    decisions: [],
    history: [],
    revisions: [],
    quarantined: [],
    answers: [],
    waiting: undefined,
    spec: undefined,
  };
}
