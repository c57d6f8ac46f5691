import type { JudgeSettings } from '../judge/judge.ts';
import type { LaneCounts, Verdict } from '../judge/verdict.ts';

/** A release as its judge saw it. */
export type Story = {
  readonly release: number;
  readonly settings: JudgeSettings;
  readonly points: readonly StoryPoint[];
  /** The last verdict of the comparison, and the last one of all, which may be the watch's. */
  readonly compared: Verdict;
  readonly last: Verdict;
};

export type StoryPoint = {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Candidate's weight, whole percent. */
  readonly share: number;
  /** After the promotion, judged against history. */
  readonly watched: boolean;
  readonly live: LaneCounts;
  readonly candidate: LaneCounts;
  /** Natural logs of the odds. */
  readonly logRollback: number;
  readonly logPromote: number | null;
};
