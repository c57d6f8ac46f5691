import {
  type Ancestry,
  failureOfEnd,
  firstOf,
  gatesOf,
  type Handled,
  type Hands,
  type Head,
  HeadgateError,
  isOver,
  readHead,
  readStory,
  roll,
  type Spec,
  short,
  waitFor,
} from '@headgate/rollout';
import { readAncestry } from '../host/git.ts';
import type { Change } from '../host/host.ts';
import { lastWordsOf } from '../report/last-words.ts';
import { type Rendering, renderAll } from './manifests.ts';
import { byAnsible } from './playbook.ts';
import type { Releaser, RevisionSeen, Stage } from './release-steps.ts';
import { completeRevision, releaseImages, revise } from './revise.ts';
import { readBootstrapDue } from './standing.ts';
import { renderTemplate, templateIn } from './template.ts';

export type Releasing = Rendering & {
  readonly spec: Spec;
  /** As in `Playing`. */
  readonly options: readonly string[];
  readonly change: Change;
  /** `undefined`: nobody gave one. */
  readonly reason: string | undefined;
  /** As in `Wanted`. */
  readonly verifyKey: string | undefined;
  /** Hears of a release that has ended, however it did. */
  readonly onEnd: (release: number) => void;
  /** Hears of a release that has begun, which is left to the controller then; waited for. `undefined`: it is seen to its end. */
  readonly onBegun: ((release: number) => Promise<void>) | undefined;
};

const readMaxMs = 30_000;

/** Of a delivery for which nobody gave one. */
export const ownReason = 'a run of deliver';

/** Releases through the app's engine, in this process or behind whoever drives; or rolls into the live lane, where the app says so. */
export function openReleaser(hands: Hands, releasing: Releasing): Releaser {
  return {
    observe: (images, stage, signal) => observeRelease(hands.ports.journal, releasing, { images, stage }, signal),
    async release(images, { log, note, gate }, signal) {
      const own = { ...hands, say: log, signal: firstOf([hands.signal, signal]) };
      const handled = await carryOut(own, releasing, images);
      if (handled.kind === 'ended') {
        releasing.onEnd(handled.release);
        for (const one of await readGates(hands, handled)) gate(one);
        for (const line of lastWordsOf(handled.head, handled.release, releasing.env)) log(line);
      }
      if (handled.kind === 'begun') await releasing.onBegun?.(handled.release);
      if (handled.kind === 'superseded') {
        log(handled.text); // Its step says so beside the run.
        return { kind: 'superseded', text: handled.text };
      }
      if (handled.kind === 'nothing') note(handled.text);
      refuseUnlessPromoted(handled);
      return { kind: 'done' };
    },
  };
}

/** An ending is told whether or not its evidence can be read. */
async function readGates({ ports }: Hands, { head, release }: Extract<Handled, { kind: 'ended' }>) {
  const story = await readStory(ports, release, AbortSignal.timeout(readMaxMs)).catch(() => undefined);
  return gatesOf(head, story, release);
}

async function carryOut(
  hands: Hands,
  releasing: Releasing,
  images: Readonly<Record<string, string>>,
): Promise<Handled> {
  const { spec, change, verifyKey, onBegun } = releasing;
  const { actor, ports, signal, say } = hands;
  let head = await readHead(ports.journal, spec.app, signal);
  // The first release, or the way back while it is watched: what it leaves live is what is changed then.
  if (spec.release.strategy === 'rolling' && isRunning(head)) {
    say(`release ${head.release?.id} is seen to its end first`);
    const before = await waitFor(hands, 'ended', Number.POSITIVE_INFINITY);
    if (before.kind === 'interrupted' || before.kind === 'held' || before.kind === 'stuck') return before;
    head = await readHead(ports.journal, spec.app, signal);
  }
  const live = head.live && head.lanes[head.live]?.commit;
  const ancestry = await readAncestry(releasing.root, { commit: change.commit, live }, signal);
  const reason = reasonFor(ancestry, live, releasing.reason);
  const template = await renderTemplate(spec, releasing, signal);
  const wanted = { commit: change.commit, template, ancestry, reason, verifyKey, insist: false };
  if (!rolls(spec, head))
    return releaseImages(hands, images, {
      ...wanted,
      hotfix: false,
      deadLetterBacklog: false,
      handsOver: onBegun !== undefined,
    });
  const apply = await byAnsible({ ...releasing, actor, check: false, say }, signal);
  const revision = await completeRevision(hands, images, wanted);
  return roll(hands, { revision, actor, reason, ancestry, insist: false }, apply);
}

/** A reason stands in for the order of commits, so it is a person's where git could have said it. @throws {HeadgateError} `REFUSED` */
function reasonFor(ancestry: Ancestry, live: string | undefined, given: string | undefined): string {
  if (given !== undefined || ancestry !== 'unknown' || live === undefined) return given ?? ownReason;
  throw new HeadgateError(
    'REFUSED',
    `Cannot release what has no commit in place of commit ${live.slice(0, 8)} as nothing says which is newer`,
    { hint: 'run it in the git repository that the commit is of, or say why with --reason' },
  );
}

/** The first revision ever has no live lane to go into: it is released. */
function rolls({ release }: Spec, { live }: Head): boolean {
  return release.strategy === 'rolling' && live !== undefined;
}

/** Whether the release that `images` make is live and has come to its end, or has passed. Reads the journal, and git at most. */
export async function observeRelease(
  journal: Hands['ports']['journal'],
  { spec, change, ...rendering }: Pick<Releasing, 'spec' | 'change' | keyof Rendering>,
  { images, stage }: { readonly images: Readonly<Record<string, string>>; readonly stage: Stage },
  signal: AbortSignal,
): Promise<RevisionSeen> {
  const rendered = await renderAll(spec, rendering, signal);
  const head = await readHead(journal, spec.app, signal);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  const wanted = revise(spec, images, live, { template: templateIn(spec, rendered), commit: undefined });
  const due = (within: AbortSignal) => readBootstrapDue(spec, rendered, within);
  const seen = { revision: wanted.id, due: spec.kubernetes === undefined ? undefined : due };
  const underWay = underWayIn(head, wanted.id);
  if (live?.id === wanted.id && underWay === undefined) return { kind: 'live', ...seen };
  if (underWay !== undefined) return { kind: 'absent', ...seen, diff: `see ${underWay} to its end` };
  if (stage === 'staging' && (await hasPassed(head, wanted.id, { root: rendering.root, change }, signal)))
    return { kind: 'passed', ...seen };
  const what = rolls(spec, head) ? `roll ${short(wanted.id)} into lane ${head.live}` : `release ${short(wanted.id)}`;
  const diff = `${what} in place of ${live === undefined ? 'nothing' : short(live.id)}`;
  return { kind: 'absent', ...seen, diff };
}

/** In staging: it was promoted there, and what is live now is of a later commit. A revert descends from that one, and is released again. */
async function hasPassed(
  head: Head,
  revision: string,
  { root, change }: Pick<Releasing, 'root' | 'change'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (!wasPromoted(head, revision)) return false;
  const live = head.live && head.lanes[head.live]?.commit;
  const ancestry = await readAncestry(root, { commit: change.commit, live }, signal);
  return ancestry !== 'unknown' && ancestry.stands === 'older';
}

/** And not rolled back since: the way back after keepWarm leaves the end of the release as it was. */
function wasPromoted({ history, quarantined }: Head, revision: string): boolean {
  const last = history.findLast((end) => end.revision === revision);
  const bad = quarantined.findLast((entry) => entry.revision === revision);
  return last?.outcome === 'promoted' && (bad === undefined || bad.release < last.id);
}

/** What may still change the live lane from or to this revision, when nobody may be left to see to it; `undefined`: nothing. */
function underWayIn(head: Head, revision: string): string | undefined {
  const { live, lanes, release, rolling } = head;
  // Live holds some of either.
  if (rolling !== undefined && [live && lanes[live]?.id, rolling.revision.id].includes(revision))
    return `rolling update ${rolling.id}`;
  // In its watch it may still go back.
  return release?.revision.id === revision && isRunning(head) ? `release ${release.id}` : undefined;
}

function isRunning({ release }: Head): boolean {
  return release !== undefined && !isOver(release.state.phase);
}

function refuseUnlessPromoted(handled: Handled): void {
  const hint = 'run `headgate why` for the evidence';
  if (handled.kind === 'refused') throw new HeadgateError(handled.code, handled.text, { hint });
  if (handled.kind === 'held') throw new HeadgateError('HELD', handled.text, { hint });
  if (handled.kind === 'stuck') throw new HeadgateError('ROLLBACK_FAILED', handled.text, { hint });
  if (handled.kind === 'interrupted') throw new Error('the release was interrupted; the next run goes on with it');
  if (handled.kind !== 'ended') return;
  const end = handled.head.history.find(({ id }) => id === handled.release);
  if (end === undefined) return;
  const failure = failureOfEnd(end);
  if (failure === undefined) return;
  const [what, more] =
    failure === 'UPDATE_FAILED'
      ? [
          `Rolling update ${end.id} was rolled back, live serves what it had`,
          'out/roll/report.txt has events and logs of what did not come up',
        ]
      : [`Release ${end.id} was rolled back, traffic is where it was`, hint];
  throw new HeadgateError(failure, `${what}: ${end.text}`, { hint: more });
}
