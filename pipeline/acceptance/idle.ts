import { setTimeout as sleep } from 'node:timers/promises';
import { openRecords } from '@headgate/rollout';
import { requestsOf } from './cluster/audit.ts';
import { openClusterStage } from './cluster/stage.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

const apps = 100;
const settleMs = 30_000;
const idleMs = 300_000;
const perSecondMax = 0.5;

/** What two controllers ask of the API server while nothing happens, with a hundred apps in their care. */
export async function idle(report: Report): Promise<void> {
  await using stage = await openClusterStage('  steps: [50%]\n  bake: 1s\n  watch: 1s\n  keepWarm: 1s\n', 'controller');
  await releaseFirst(stage, report);
  const head = await stage.head();
  for (let n = 1; n < apps; n++) {
    const { journal } = openRecords({ ...stage.spec, app: `app-${n}` }, stage.state);
    await journal.write(
      JSON.parse(JSON.stringify({ ...head, app: `app-${n}` })),
      undefined,
      AbortSignal.timeout(30_000),
    );
  }
  await sleep(settleMs);
  const from = Date.now();
  await sleep(idleMs);
  const { namespace } = stage.spec.kubernetes ?? { namespace: '' };
  const account = `${namespace}:headgate-controller`;
  const [before, asked] = [await requestsOf(account, 0, from), await requestsOf(account, from, from + idleMs)];
  const perSecond = asked.length / (idleMs / 1_000);
  report.check('the audit log has what they asked before', before.length > 0, `${before.length} requests`);
  report.check(
    `${apps} idle apps, two controllers: under ${perSecondMax} API requests/s`,
    perSecond < perSecondMax,
    `${perSecond.toFixed(3)}/s, ${asked.length} in ${idleMs / 60_000} min`,
  );
  const addresses = await stage.kubectl([
    'get',
    'pods',
    '--selector',
    'app.kubernetes.io/name=headgate-controller',
    '-o',
    'jsonpath={.items[*].status.podIP}',
  ]);
  for (const address of addresses.split(' ')) {
    const page = await (await fetch(`http://${address}:9090/metrics`)).text();
    const bytes = Number(/^headgate_controller_resident_bytes (\d+)/m.exec(page)?.[1]);
    report.say(`a controller with ${apps} apps holds ${Math.round(bytes / 1_048_576)} MiB`);
  }
}
