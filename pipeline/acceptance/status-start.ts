import { once } from 'node:events';
import { openKubeClient } from '@headgate/rollout';
import { releaseFirst } from './releasing.ts';
import { median, type Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

const tries = 20;
const ownMsMax = 300;

/** How soon the person on call reads the first line of `status`, from a cold start, with the API server's round trip beside it. */
export async function statusStart(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  steps: [50%]\n  bake: 1s\n  watch: 1s\n  keepWarm: 1s\n');
  await releaseFirst(stage, report);
  const lines: number[] = [];
  const trips: number[] = [];
  for (let n = 0; n < tries; n++) {
    lines.push(await timed(() => firstLine(stage)));
    trips.push(await timed(() => roundTrip(stage.spec.kubernetes?.namespace)));
  }
  const own = median(lines) - median(trips);
  report.check(
    `the first line of status comes within ${ownMsMax} ms and one round trip`,
    own < ownMsMax,
    `${median(lines)} ms, worst ${Math.max(...lines)} ms; a round trip takes ${median(trips)} ms`,
  );
}

async function firstLine(stage: Stage): Promise<void> {
  const { child } = stage.start('status');
  if (child.stdout !== null) await once(child.stdout, 'data');
}

/** With a new connection, as a new process has none. */
async function roundTrip(namespace: string | undefined): Promise<void> {
  if (namespace === undefined) return; // On this machine `status` reads files.
  using client = openKubeClient({ namespace });
  await client.text(`/api/v1/namespaces/${namespace}/configmaps/none`, AbortSignal.timeout(30_000));
}

async function timed(act: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await act();
  return Math.round(performance.now() - begun);
}
