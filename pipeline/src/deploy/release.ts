import { firstOf, type Handled, type Hands, HeadgateError, isOver, readHead, type Spec } from '@headgate/rollout';
import { readAncestry } from '../host/git.ts';
import type { Change } from '../host/host.ts';
import type { Rendering } from './manifests.ts';
import type { Releaser, RevisionSeen } from './release-steps.ts';
import { releaseImages, revise } from './revise.ts';
import { renderTemplate } from './template.ts';

export type Releasing = Rendering & {
  readonly spec: Spec;
  readonly change: Change;
  readonly reason: string;
  /** As in `Wanted`. */
  readonly verifyKey: string | undefined;
  /** Hears of a release that has ended, however it did. */
  readonly onEnd: (release: number) => void;
};

/** Releases through the app's engine, in this process or behind whoever drives. */
export function openReleaser(hands: Hands, releasing: Releasing): Releaser {
  const { spec, change } = releasing;
  return {
    observe: (images, signal) => observeRelease(hands.ports.journal, releasing, images, signal),
    async release(images, log, signal) {
      const head = await readHead(hands.ports.journal, spec.app, signal);
      const live = head.live && head.lanes[head.live]?.commit;
      const ancestry = await readAncestry(releasing.root, { commit: change.commit, live }, signal);
      const handled = await releaseImages({ ...hands, say: log, signal: firstOf([hands.signal, signal]) }, images, {
        commit: change.commit,
        template: await renderTemplate(spec, releasing, signal),
        ancestry,
        reason: releasing.reason,
        verifyKey: releasing.verifyKey,
        insist: false,
        hotfix: false,
      });
      if (handled.kind === 'ended') releasing.onEnd(handled.release);
      refuseUnlessPromoted(handled);
    },
  };
}

/** Whether the release that `images` make is live and has come to its end. Reads the journal and nothing else. */
export async function observeRelease(
  journal: Hands['ports']['journal'],
  { spec, ...rendering }: Pick<Releasing, 'spec' | keyof Rendering>,
  images: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<RevisionSeen> {
  const head = await readHead(journal, spec.app, signal);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  const template = await renderTemplate(spec, rendering, signal);
  const wanted = revise(spec, images, live, { template, commit: undefined });
  const { id: revision } = wanted;
  const { release } = head;
  // In its watch it may still go back, and nobody may be left to see to it.
  const underWay = release?.revision.id === revision && !isOver(release.state.phase) ? release.id : undefined;
  if (live?.id === revision && underWay === undefined) return { kind: 'live', revision };
  if (underWay !== undefined) return { kind: 'absent', revision, diff: `see release ${underWay} to its end` };
  const diff = `release ${revision.slice(0, 8)} in place of ${live?.id.slice(0, 8) ?? 'nothing'}`;
  return { kind: 'absent', revision, diff };
}

function refuseUnlessPromoted(handled: Handled): void {
  const hint = 'run `headgate why` for the evidence';
  if (handled.kind === 'refused') throw new HeadgateError(handled.code, handled.text, { hint });
  if (handled.kind === 'interrupted') throw new Error('the release was interrupted; the next run goes on with it');
  if (handled.kind !== 'ended') return;
  const phase = handled.head.history.find(({ id }) => id === handled.release);
  if (phase?.outcome === 'rolledBack') {
    throw new HeadgateError(
      'ROLLED_BACK',
      `Release ${handled.release} was rolled back, traffic is where it was: ${phase.text}`,
      { hint },
    );
  }
}
