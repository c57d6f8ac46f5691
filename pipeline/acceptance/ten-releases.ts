import { connect } from 'nats';
import type { Ran } from './commands.ts';
import { checkOutside } from './outside.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/**
 * Ten releases of different digests: `judge` are rolled back by the judge, `hand` by a person, the others are promoted. `proxy` names that
 * service alone, right after a rollback.
 */
const plan = [
  { version: 'v1', how: 'promoted' },
  { version: 'v2', how: 'promoted' },
  { version: 'v3', how: 'hand' },
  { version: 'answers 404', how: 'judge' },
  { version: 'looks more rarely while it ends', how: 'proxy' },
  { version: 'answers 404, b', how: 'judge' },
  { version: 'v4', how: 'promoted' },
  { version: 'v5', how: 'promoted' },
  { version: 'answers 404, c', how: 'judge' },
  { version: 'v6', how: 'promoted' },
] as const;

/** Into both lanes, and back in both ways: what is played where all ten take too long. */
const few = plan.filter((_, i) => [0, 2, 3, 4].includes(i));

/** Both lanes' streams and consumers must be the same before and after, and an outside client must see nothing but bad versions' own errors. */
export async function tenReleases(report: Report, { share }: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [25%, 50%]\n  bake: 4s\n  watch: 3s\n  keepWarm: 5m\n');
  const releases = share.of === 1 ? plan : few;
  if (releases !== plan) report.say(`${few.length} of its ${plan.length} releases, as a share is asked for`);
  let first: string | undefined; // The first release makes both lanes.
  let load: ReturnType<Stage['load']> | undefined;
  for (const { version, how } of releases) {
    const before = await ratingOf(stage);
    const { code, out, err } = await release[how](stage, version);
    const right = code === (how === 'promoted' || how === 'proxy' ? 0 : 11);
    report.check(`${version}: ${how}`, right, right ? '' : `exit code ${code} ${out} ${err}`);
    if (how === 'proxy') {
      const after = await ratingOf(stage);
      report.check('the service that nobody named has the image of what was live', after === before, `${after}`);
    }
    first ??= await configs(stage.nats);
    load ??= stage.load(200);
  }
  const bad = 1 + releases.findIndex(({ how }) => how === 'judge');
  const again = await stage.release('answers 404');
  report.check(
    'a revision that was rolled back exits 11 and names the release',
    again.code === 11 && again.err.includes(`release ${bad} `),
    again.err.trim(),
  );
  const { live } = await stage.head();
  const regret = await stage.run('rollback', '--reason', 'regret');
  // A controller's command ends when its wish is taken up, and the way back goes on.
  const back = await stage.until(({ release }) => release?.state.phase.kind === 'rolledBack');
  report.check(
    'regret within keepWarm goes back',
    regret.code === 0 && back.live !== undefined && back.live !== live,
    `${live} -> ${back.live} ${regret.err.trim()}`,
  );
  if (load !== undefined) await checkOutside({ ...stage, load }, report);
  const after = await configs(stage.nats);
  report.check(
    'configs and created-times of both streams and consumers are equal before and after',
    after === first,
    after === first ? '' : `${first}\n${after}`,
  );
}

const release = {
  promoted: (stage: Stage, version: string) => stage.release(version),
  judge: (stage: Stage, version: string) => stage.release(version),
  hand: byHand,
  proxy: async (stage: Stage, version: string) =>
    stage.run('release', await stage.proxy(version), '--reason', 'another proxy'),
};

/** The image of live's rating service. */
async function ratingOf(stage: Stage): Promise<string | undefined> {
  const { live, lanes } = await stage.head();
  return live && lanes[live]?.digests['rating'];
}

async function byHand(stage: Stage, version: string): Promise<Ran> {
  const images = await stage.images(version);
  const releasing = stage.start('release', ...images, '--reason', 'by hand');
  await stage.until(({ release }) => release?.reason === 'by hand' && release.state.phase.kind === 'holding');
  await stage.run('rollback', '--reason', 'by hand');
  return releasing.ended;
}

async function configs(url: string): Promise<string> {
  const connection = await connect({ servers: url });
  try {
    const manager = await connection.jetstreamManager();
    const found: unknown[] = [];
    for (const lane of ['ratings-blue', 'ratings-green']) {
      const stream = await manager.streams.info(lane);
      const consumer = await manager.consumers.info(lane, `${lane}-rating`);
      found.push([stream.config, stream.created, consumer.config, consumer.created]);
    }
    return JSON.stringify(found);
  } finally {
    await connection.close();
  }
}
