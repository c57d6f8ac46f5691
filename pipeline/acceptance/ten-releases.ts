import { connect } from 'nats';
import type { Ran } from './commands.ts';
import { checkOutside } from './outside.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** Ten releases of different digests: `back` are rolled back by the judge, `hand` by a person, the others are promoted. */
const plan = [
  { version: 'v1', how: 'promoted' },
  { version: 'v2', how: 'promoted' },
  { version: 'answers 404', how: 'judge' },
  { version: 'v3', how: 'promoted' },
  { version: 'answers 404, b', how: 'judge' },
  { version: 'v4', how: 'hand' },
  { version: 'v5', how: 'promoted' },
  { version: 'answers 404, c', how: 'judge' },
  { version: 'v6', how: 'promoted' },
  { version: 'v7', how: 'promoted' },
] as const;

/** Into both lanes, and back in both ways: what is played where all ten take too long. */
const few = plan.filter(({ version }) => ['v1', 'answers 404', 'v4', 'v5'].includes(version));

/** Both lanes' streams and consumers must be the same before and after, and an outside client must see nothing but bad versions' own errors. */
export async function tenReleases(report: Report, { share }: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [25%, 50%]\n  bake: 4s\n  watch: 3s\n  keepWarm: 5m\n');
  const releases = share.of === 1 ? plan : few;
  if (releases !== plan) report.say(`${few.length} of its ${plan.length} releases, as a share is asked for`);
  let before: string | undefined; // The first release makes both lanes.
  let load: ReturnType<Stage['load']> | undefined;
  for (const { version, how } of releases) {
    const { code, out, err } = how === 'hand' ? await byHand(stage, version) : await stage.release(version);
    const right = code === (how === 'promoted' ? 0 : 11);
    report.check(`${version}: ${how}`, right, right ? '' : `exit code ${code} ${out} ${err}`);
    before ??= await configs(stage.nats);
    load ??= stage.load(200);
  }
  const first = 1 + releases.findIndex(({ how }) => how === 'judge');
  const again = await stage.release('answers 404');
  report.check(
    'a revision that was rolled back exits 11 and names the release',
    again.code === 11 && again.err.includes(`release ${first} `),
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
    after === before,
    after === before ? '' : `${before}\n${after}`,
  );
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
