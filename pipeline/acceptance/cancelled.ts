import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { edit } from '../src/demo/versions.ts';
import { git } from '../src/host/git.rig.ts';
import { isFailed } from '../src/perf/ledger.ts';
import { headOnce } from './commands.ts';
import { failures } from './from-sources.ts';
import { commit, deliver, handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { type OpenStage, readSpec } from './stage.ts';

/** A host kills 10 s after its first signal. */
const endMaxMs = 7_000;
const perSecond = 200;
/** Between the two runs. */
const unwatchedMs = 3_000;

/**
 * A delivery is cancelled, as a CI host does it, while its candidate has half of the users. Where it drives itself nobody would watch that
 * candidate any more: it gets no request from then on. A controller watches it on. Either way another host ends the delivery.
 */
export async function cancelled(report: Report, _scope: Scope, _open: OpenStage, openHosts: OpenHosts): Promise<void> {
  await using hosts = await openHosts('c');
  const { a, b, head } = hosts;
  const first = await deliver(a);
  report.check('the first commit is released', first.code === 0, failures(first));
  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: 'const LIMIT_DEFAULT = 101;' });
  const canary = { find: 'strategy: blue-green, bake: 1s', replace: 'steps: [50%], bake: 20s, latency: rollback' };
  await edit(a, { file: 'headgate.yaml', ...canary });
  const id = await commit(a, 'a good one');
  const users = await hosts.load(perSecond);

  const cancel = new AbortController();
  const delivering = deliver(a, { interrupted: cancel.signal });
  await headOnce(head, ({ release }) => release?.revision.commit === id && release.state.phase.kind === 'holding');
  const begun = performance.now();
  cancel.abort();
  const ran = await delivering;
  const ms = Math.round(performance.now() - begun);
  const endedAt = Date.now();
  report.check(
    'cancelled at 50 % it ends with 130 within 7 s',
    ran.code === 130 && ms < endMaxMs,
    `${ran.code}, ${ms} ms`,
  );
  const { release } = await head();
  const { kubernetes } = await readSpec(join(a, 'headgate.yaml'));
  const driven = kubernetes?.driver === 'controller';
  const left = driven ? ['holding', 'watching', 'promoted'] : ['interrupted'];
  const { kind } = release?.state.phase ?? { kind: 'none' };
  report.check(
    driven ? 'the controller goes on with its release' : 'its release is interrupted',
    left.includes(kind),
    kind,
  );

  await git(b, 'pull', '--quiet');
  await sleep(unwatchedMs);
  const goesOnAt = Date.now();
  const next = await deliver(b);
  const { live, lanes, history } = await head();
  const ends = history.filter(({ commit: of }) => of === id).map(({ outcome }) => outcome);
  const isLive = live !== undefined && lanes[live]?.commit === id;
  const told = `${next.code} ${ends.join()} ${failures(next)}`;
  report.check('another host ends it', next.code === 0 && isLive && ends.join() === 'promoted', told);

  const sent = await users.stop();
  const between = sent.filter(({ at, revision }) => at > endedAt && at < goesOnAt && revision === release?.revision.id);
  report.check(
    driven ? 'users go on at the candidate meanwhile' : 'meanwhile no request goes to the candidate',
    driven === between.length > 0,
    `${between.length} of ${sent.filter(({ at }) => at > endedAt && at < goesOnAt).length}`,
  );
  const failed = sent.filter(isFailed);
  report.check('no request fails', failed.length === 0, `${failed.length} of ${sent.length}`);
}
