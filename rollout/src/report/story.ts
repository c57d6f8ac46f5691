import type { JudgeSettings } from '../judge/judge.ts';
import type { LaneCounts, Verdict } from '../judge/verdict.ts';

/** A release as its judge saw it. */
export type Story = {
  readonly settings: JudgeSettings;
  readonly points: readonly StoryPoint[];
  /** The last verdict of the comparison, and of the watch if it came to that. */
  readonly compared: Verdict;
  readonly watch: Verdict | undefined;
};

export type StoryPoint = {
  /** Milliseconds since the epoch; what was counted, in the `seconds` before it. */
  readonly at: number;
  readonly seconds: number;
  /** Candidate's weight, whole percent. */
  readonly share: number;
  /** After the promotion, judged against history. */
  readonly watched: boolean;
  readonly live: LaneCounts;
  readonly candidate: LaneCounts;
  /** What the judge said then. */
  readonly verdict: Verdict;
};
