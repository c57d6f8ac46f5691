/** A door of its own for the first line of `status`: whoever is on call does not wait for what drives and judges to load. */
export { readStatus } from './engine/status.ts';
export type { Records } from './journal/journal.ts';
export { openPlatform, openRecords } from './platform/open.ts';
export type { Platform } from './platform/platform.ts';
export { type StatusState, statusCodes, statusState } from './report/state.ts';
export { headline, type StatusFacts, statusText } from './report/status.ts';
export { durationMs } from './spec/read.ts';
export type { Spec, SpecIssue, SpecValue } from './spec.ts';
export { formatIssues, parseSpec } from './spec.ts';
