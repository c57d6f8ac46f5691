import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openKubeClient } from '@headgate/rollout';
import { openFarServer } from './cluster/far.ts';
import { bin } from './commands.ts';
import { holding, releaseFirst } from './releasing.ts';
import { median, type Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

const tries = 20;
const ownMsMax = 300;
const perSecond = 20;
/** An API server in another country: a second question before the first line would show. */
const farMs = 400;

/**
 * How soon the person on call reads the first line of `status` of a release that runs and has evidence, from a cold start, with the API
 * server's round trip beside it; near to it, and far away.
 */
export async function statusStart(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  steps: [50%]\n  bake: 20m\n  watch: 1s\n  keepWarm: 1s\n');
  await releaseFirst(stage, report);
  const load = stage.load(perSecond);
  const releasing = await holding(stage, 'v2');
  const { release } = await stage.until(({ release: now }) => now?.state.phase.kind === 'holding');
  await stage.run('hold', '--reason', 'status is measured');
  await check('', process.env, stage, report);
  if (stage.spec.kubernetes !== undefined) {
    await using far = await openFarServer(farMs);
    await check(`, with ${farMs} ms more to the API server`, { HEADGATE_KUBECONFIG: far.kubeconfig }, stage, report);
  }
  const { out } = await stage.run('status');
  report.check('the release has evidence', out.includes('  evidence   '), out);
  await stage.run('rollback', '--release', `${release?.id}`);
  await releasing.ended;
  await load.stop();
}

async function check(where: string, way: NodeJS.ProcessEnv, stage: Stage, report: Report): Promise<void> {
  const lines: number[] = [];
  const trips: number[] = [];
  for (let n = 0; n < tries; n++) {
    lines.push(await timed(() => firstLine(stage, way)));
    trips.push(await timed(() => roundTrip(stage.spec.kubernetes?.namespace, way)));
  }
  const own = median(lines) - median(trips);
  report.check(
    `the first line of status comes within ${ownMsMax} ms and one round trip${where}`,
    own > 0 && own < ownMsMax, // Less than the trip: it has gone another way.
    `${median(lines)} ms, worst ${Math.max(...lines)} ms; a round trip takes ${median(trips)} ms`,
  );
}

async function firstLine({ env, file }: Stage, way: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, [bin, 'status', '--file', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, ...way },
  });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
}

/** With a new connection, as a new process has none. */
async function roundTrip(namespace: string | undefined, way: NodeJS.ProcessEnv): Promise<void> {
  if (namespace === undefined) return; // On this machine `status` reads files.
  using client = openKubeClient({ namespace, env: { ...process.env, ...way } });
  await client.text(`/api/v1/namespaces/${namespace}/configmaps/none`, AbortSignal.timeout(30_000));
}

async function timed(act: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await act();
  return Math.round(performance.now() - begun);
}
