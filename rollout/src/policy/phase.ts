import type { Instant } from '../lane.ts';

/**
 * Where a release is.
 *
 *   closing ─▶ starting ─▶ comparing ─▶ settling ◀─▶ holding ─▶ promoting ─▶ watching ─▶ promoted ─▶ retiring ─▶ retired
 *      │          │        (blue/green)    │ ▲ next step │          │           │            │
 *      │          │            │           │ └───────────┘          │           └─────┬──────┘ judge, or a person in keepWarm
 *      │          │            │           │       │                │                 ▼
 *      └──────────┴────────────┴───────────┴───────┴────────────────┤             returning (weight back first)
 *                     verdict, readiness, deadline or a person      ▼                 │
 *                                                              rollingBack ◀──────────┘
 *                                                                   ▼
 *   An A/B test has one step, of weight 0: it holds there, with its pins, until a person ends it.
 *
 *   interrupted: a driver went away by signal and nobody       rolledBack
 *   took over; weight is 0, the next one goes on at `starting`
 */
export type Phase =
  /** Weight 0, no pin, nothing left in the candidate's queue: the lane is about to change its revision. */
  | { readonly kind: 'closing'; readonly since: Instant }
  /** The revision is set; waiting for workers, proxies and one answered request. */
  | { readonly kind: 'starting'; readonly since: Instant }
  /** Blue/green only: the same synthetic requests go to both lanes. */
  | { readonly kind: 'comparing'; readonly since: Instant }
  /** A weight was asked for; only a confirmed weight moves on. */
  | { readonly kind: 'settling'; readonly step: number; readonly since: Instant }
  | { readonly kind: 'holding'; readonly step: number; readonly since: Instant }
  | { readonly kind: 'promoting'; readonly since: Instant }
  | { readonly kind: 'watching'; readonly since: Instant }
  | { readonly kind: 'returning'; readonly reason: Reason; readonly since: Instant }
  | {
      readonly kind: 'rollingBack';
      readonly stage: BackStage;
      readonly reason: Reason;
      readonly since: Instant;
      readonly fencedAt: Instant | undefined;
      /** Since when the lane shall have workers of live's revision, as live's own did not take over; `undefined`: they did, or may yet. */
      readonly lentAt: Instant | undefined;
      /** How long `draining` may take, from the backlog at its beginning; `undefined` before it, and in a record from before this was told. */
      readonly drainMs: number | undefined;
    }
  | { readonly kind: 'interrupted'; readonly since: Instant }
  | { readonly kind: 'promoted'; readonly since: Instant; readonly warmUntil: Instant }
  | { readonly kind: 'retiring'; readonly stage: RetireStage; readonly since: Instant }
  | { readonly kind: 'retired'; readonly since: Instant }
  | { readonly kind: 'rolledBack'; readonly reason: Reason; readonly since: Instant; readonly backlog: number };

/**
 * The way back, in the order that loses no message:
 * weight 0 ─▶ fence ─▶ stop the candidate's workers ─▶ live adopts ─▶ drained ─▶ dead letters ─▶ proxies gone ─▶ empty ─▶ adoption ends.
 * Where no other version can read its messages, `answering` stands for all from the adoption to the dead letters.
 */
export type BackStage =
  | 'closing'
  | 'fencing'
  | 'stopping'
  | 'binding'
  | 'draining'
  | 'answering'
  | 'retiring'
  | 'emptying'
  | 'unbinding';

/** A lane past `keepWarm` goes to zero: proxies, then what they still sent, then workers. */
export type RetireStage = 'proxies' | 'draining' | 'workers';

/** Why a release goes back. `kind` is for scripts, `text` for the person who reads it at three in the morning. */
export type Reason = {
  readonly kind: 'verdict' | 'guard' | 'unready' | 'start' | 'deadline' | 'person' | 'lowered';
  readonly text: string;
};

/** Why a release does not go on just now. */
export type HoldReason =
  | 'evidence'
  | 'bake'
  | 'no-traffic'
  | 'no-metrics'
  | 'both-lanes-down'
  | 'capacity'
  | 'foreign-writer'
  | 'person'
  | 'approval'
  | 'test'
  | 'deadline'
  | 'unconfirmed'
  | 'starting'
  | 'leftovers'
  | 'queue-unseen'
  | 'workload-unseen';

/** Whether it waits as it was meant to: for evidence, for time, for what it has just asked for, for a person. */
export function isExpected(hold: HoldReason): boolean {
  switch (hold) {
    case 'evidence':
    case 'bake':
    case 'starting':
    case 'unconfirmed':
    case 'leftovers':
    case 'test':
    case 'person':
    case 'approval':
      return true;
    case 'no-traffic':
    case 'no-metrics':
    case 'both-lanes-down':
    case 'capacity':
    case 'foreign-writer':
    case 'deadline':
    case 'queue-unseen':
    case 'workload-unseen':
      return false;
  }
}

/** Nothing more happens by itself: a driver may let go of the lock. */
export function isOver(phase: Phase): boolean {
  return phase.kind === 'promoted' || phase.kind === 'retired' || phase.kind === 'rolledBack';
}

/** What is counted is evidence. */
export function isJudged({ kind }: Phase): boolean {
  return ['settling', 'holding', 'promoting', 'watching', 'comparing'].includes(kind);
}

/** Before promotion, on the way to it. */
export function isForward(phase: Phase): boolean {
  switch (phase.kind) {
    case 'closing':
    case 'starting':
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
      return true;
    default:
      return false;
  }
}

/** The candidate has users or is led to them: a driver that goes away leaves that to another one, or sets it to 0. */
export function needsDriver(phase: Phase): boolean {
  return isForward(phase) && phase.kind !== 'closing' && phase.kind !== 'starting';
}
