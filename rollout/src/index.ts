/** The door of the package: from a revision to a verdict. What loads a client or a server's tools has doors of its own, so that `status` starts at once. */
export { firstOf, withDeadline } from './deadline.ts';
export { checkCluster } from './doctor/cluster.ts';
export { type Finding, hint, missing } from './doctor/finding.ts';
export { ignoreSnippets } from './doctor/ignore.ts';
export { checkManifests } from './doctor/manifests.ts';
export { readHead } from './engine/book.ts';
export { type Observation, observe } from './engine/observe.ts';
export { both, type Emit, type Occurrence } from './engine/occurrence.ts';
export { readReplay, replayOf } from './engine/replay.ts';
export { readStatus } from './engine/status.ts';
export { readStory } from './engine/story.ts';
export { type Drive, type Driven, drive } from './engine.ts';
export type { ErrorCode } from './errors.ts';
export { exitCodes, HeadgateError, InvariantError, invariant, isHeadgateError, unreachable } from './errors.ts';
export { act, pin } from './hands/act.ts';
export type { Handled, Hands } from './hands/hands.ts';
export { handOver, needsRestore, restore, startRelease } from './hands/release.ts';
export { type ApplyRoll, previewRoll, roll, unroll } from './hands/roll.ts';
export { settled } from './hands/settled.ts';
export { unlock } from './hands/unlock.ts';
export { waitFor, waitOn } from './hands/wait.ts';
export { changeFileJournal, openFileJournal } from './journal/file.ts';
export type { AppLock, Records } from './journal/journal.ts';
export type { Instant, Lane, Percent, Pin, Weights } from './lane.ts';
export { instant, lanes, otherLane, percent } from './lane.ts';
export { migrationMaxMs, runsAs } from './migration/migration.ts';
export { type Notice, newsOf, webhookDocument } from './notify/notice.ts';
export { openNotifier } from './notify/notifier.ts';
export { postWebhook } from './notify/webhook.ts';
export { type Marker, markerRule, readMarker } from './pin.ts';
export { environmentOf } from './platform/environment.ts';
export { type KubeClient, type KubeObject, openKubeClient } from './platform/kubernetes/client.ts';
export type { Entrance, Frontend } from './platform/kubernetes/cluster-objects.ts';
export { forwardService } from './platform/kubernetes/forward-service.ts';
export { type LaneChange, planLanes } from './platform/kubernetes/lanes.ts';
export {
  ensureSupervisor,
  findSupervisor,
  type ReadyInfo,
  stopSupervisor,
} from './platform/local/supervisor/ensure.ts';
export { openPlatform, openProcesses, openRecords } from './platform/open.ts';
export type { Platform } from './platform/platform.ts';
export type { Ancestry } from './policy/ancestry.ts';
export { csvColumns, readEvidenceCsv } from './policy/evidence-csv.ts';
export { failureOfEnd } from './policy/failure-of-end.ts';
export { lastWordsIn } from './policy/last-words.ts';
export type { Act } from './policy/look.ts';
export { newestIn } from './policy/newest.ts';
export { isExpected, isOver } from './policy/phase.ts';
export type { Head, Release, ReleaseRequest } from './policy/release.ts';
export type { OtherSettings } from './policy/settings.ts';
export { consumerName, streamName, subjectPrefix } from './queue/names.ts';
export { explain } from './report/explain.ts';
export { type Gate, gatesOf } from './report/gates.ts';
export { falseAlarms, observedText, type Trial, trialText } from './report/observed.ts';
export { picture } from './report/picture.ts';
export { plot } from './report/plot.ts';
export { type Replay, replayJson, replayText } from './report/replay.ts';
export { explainRoll } from './report/rolling.ts';
export { type StatusState, statusCodes, statusState } from './report/state.ts';
export {
  headline,
  phaseText,
  type StatusFacts,
  statusText,
} from './report/status.ts';
export type { Story } from './report/story.ts';
export { strip } from './report/strip.ts';
export { duration, failedRatio, odds, short } from './report/words.ts';
export type { ConfigMapTemplate, Digest, LaneTemplate, PodTemplate, Revision } from './revision.ts';
export { canonicalJson, digest, makeRevision, templateOf } from './revision.ts';
export { durationMs } from './spec/read.ts';
export type { Adoption, MigrateSpec, PerfSpec, ServiceSpec, Spec, SpecIssue, SpecValue } from './spec.ts';
export { formatIssues, parseSpec } from './spec.ts';
export { readLaneEnvironment, type Variable } from './workload/kubernetes/environment.ts';
export { describeRoll } from './workload/kubernetes/roll.ts';
