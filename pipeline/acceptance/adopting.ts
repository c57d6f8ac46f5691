import { endForeign, foreignIdentity, foreignQueue, letLanesIn, runForeign, standForeign } from './cluster/foreign.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { holding } from './releasing.ts';
import type { Report } from './report.ts';

/**
 * A system that ran without Headgate, on bare subjects, becomes the live lane under load. Versions then go into the other lane and back, in
 * both directions.
 */
export async function adopting(report: Report): Promise<void> {
  await using stage = await openClusterStage(
    '  latency: rollback\n  steps: [50%]\n  bake: 6s\n  watch: 2s\n  keepWarm: 10m\n',
    'controller',
    { before: { queue: foreignQueue, stand: standForeign } },
  );
  const running = await stage.images('v1');
  await runForeign(stage, running);
  const before = await foreignIdentity(stage.nats);
  const load = stage.load(100);
  await takenIn(stage, running, report);
  await intoTheOtherLane(stage, report);
  await intoTheAdoptedLane(stage, report);
  await checkOutside({ ...stage, load }, report);
  report.check('its stream and consumer are as they were', (await foreignIdentity(stage.nats)) === before);
}

async function takenIn(stage: ClusterStage, running: readonly string[], report: Report): Promise<void> {
  await letLanesIn(stage);
  const broken = await stage.release('exits at its start');
  const isBack = broken.code === 11;
  report.check('a first release that does not start is taken back', isBack, isBack ? '' : broken.out + broken.err);
  const first = await stage.run('release', ...running, '--reason', 'what runs already');
  const { live, lanes } = await stage.head();
  report.check(
    'what runs already becomes the live lane',
    first.code === 0 && live === 'blue' && lanes.blue !== undefined,
    first.code === 0 ? '' : first.out + first.err,
  );
  await endForeign(stage);
}

async function intoTheOtherLane(stage: ClusterStage, report: Report): Promise<void> {
  const { code, out, err } = await stage.release('v2');
  report.check('the next version is promoted', code === 0, code === 0 ? '' : out + err);
  const back = await stage.run('rollback', '--reason', 'by hand');
  await stage.until(({ release }) => release?.state.phase.kind === 'rolledBack');
  const { live } = await stage.head();
  report.check('a person goes back to the lane that was taken in', back.code === 0 && live === 'blue', back.err.trim());
  await candidateGoesBack(stage, 'v3', report);
}

/** It has bare subjects still, and is a lane like the other. */
async function intoTheAdoptedLane(stage: ClusterStage, report: Report): Promise<void> {
  const { code, out, err } = await stage.release('v4');
  const { live } = await stage.head();
  report.check('another version is promoted', code === 0 && live === 'green', code === 0 ? '' : out + err);
  await candidateGoesBack(stage, 'v5', report);
  const last = await stage.release('v6');
  const after = await stage.head();
  report.check(
    'a version is promoted in the lane that was taken in',
    last.code === 0 && after.live === 'blue',
    last.code === 0 ? '' : last.out + last.err,
  );
}

async function candidateGoesBack(stage: ClusterStage, version: string, report: Report): Promise<void> {
  const releasing = await holding(stage, version);
  const { release, live } = await stage.head();
  const back = await stage.run('rollback', '--reason', 'by hand');
  const { code } = await releasing.ended;
  const after = await stage.head();
  report.check(
    `a person rolls a candidate back from lane ${release?.candidate}`,
    back.code === 0 && code === 11 && after.live === live,
    back.err.trim(),
  );
}
