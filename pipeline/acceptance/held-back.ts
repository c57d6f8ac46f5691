import { setTimeout as sleep } from 'node:timers/promises';
import type { Head } from '@headgate/rollout';
import { userRequest } from '../src/perf/ledger.ts';
import { startLoad } from '../src/perf/open-loop.ts';
import { driversOf } from './cluster/audit.ts';
import { whileHeld } from './cluster/fault.ts';
import { openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

const heldMs = 10_000;
/** A lane at weight 0 is closed when its counters have stood still for so long. */
const stillMs = 2_000;
/** This reader looks at the journal five times a second. */
const lookMs = 200;

/**
 * One of two replicas of the gateway does not hear of a rollback for 10 s: weight 0 is confirmed only when both have it and the candidate's
 * counters stand still, and no request in flight is lost.
 */
export async function heldBack(report: Report): Promise<void> {
  await using stage = await openClusterStage('  steps: [50%]\n  bake: 3m\n  watch: 2s\n  keepWarm: 1m\n', 'controller');
  await releaseFirst(stage, report);
  const loads = stage.gateways.map((origin) =>
    startLoad({ origin, headers: stage.headers, perSecond: 50, make: userRequest }),
  );
  const releasing = stage.start('release', ...(await stage.images('v2')), '--reason', 'held back');
  const { release } = await stage.until(
    (head) => head.release?.id === 2 && head.release.state.phase.kind === 'holding',
  );
  await sleep(3_000);

  const decided = await whileHeld('relay', async () => {
    const rollback = stage.start('rollback', '--reason', 'held back');
    const { release } = await stage.until((head) => head.release?.state.phase.kind === 'rollingBack');
    await sleep(heldMs);
    report.check('weight 0 is not confirmed while a replica has not heard of it', isClosing(await stage.head()));
    return { rollback, at: release?.state.phase.since ?? Number.NaN };
  });
  const heard = Date.now();
  await stage.until((head) => !isClosing(head));
  const confirmed = Date.now();
  const rollback = await decided.rollback.ended;
  report.check('a person rolls back', rollback.code === 0 && (await releasing.ended).code === 11, rollback.err.trim());

  // From here on the lock is the second release's: what was left to do for the first one is done.
  const drivers = await driversOf(stage.namespace, release?.startedAt ?? 0, Date.now());
  report.check('of two controllers and two people one drives', drivers.length === 1, drivers.join('; '));

  const stop = async () => (await Promise.all(loads.map((load) => load.stop()))).flat();
  const candidate = (await stage.head()).release?.candidate;
  const last = (await stop()).filter(({ lane }) => lane === candidate).map(({ at }) => at);
  report.check(
    `no request has reached the candidate in the ${stillMs} ms before weight 0 was confirmed`,
    confirmed - Math.max(...last) > stillMs - lookMs,
    `the last one ${Math.round(confirmed - Math.max(...last))} ms before`,
  );
  report.say(
    `from the decision to the confirmed weight ${confirmed - decided.at} ms, the last ${confirmed - heard} of them after the replica heard of it`,
  );
  await checkOutside({ ...stage, load: { stop } }, report);
}

function isClosing({ release }: Head): boolean {
  const phase = release?.state.phase;
  return phase?.kind === 'rollingBack' && phase.stage === 'closing';
}
