import { setTimeout as sleep } from 'node:timers/promises';
import { whileHeld } from './cluster/fault.ts';
import { type ClusterStage, onCluster } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { holding, releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

const serverAwayMs = 120_000;
/** A node that says nothing for 50 s is taken for lost, and its pods serve nobody. */
const nodeLostMs = 90_000;
const endMaxMs = 120_000;
const keepWarmMs = 5_000;

/** What happens to lanes on a cluster while a release runs, and after it. */
export async function laneLife(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = onCluster(
    await open(`  latency: rollback\n  steps: [50%]\n  bake: 30s\n  watch: 2s\n  keepWarm: ${keepWarmMs}ms\n`),
  );
  await releaseFirst(stage, report);
  const load = stage.load(100);
  await evicted(stage, report);
  await afterKeepWarm(stage, report);
  await checkOutside({ ...stage, load }, report);
  await withoutCluster(stage, report);
  await namespaceDeleted(stage, report);
}

async function evicted(stage: ClusterStage, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v2', '--insist');
  const { release } = await stage.head();
  for (const service of ['proxy', 'rating']) {
    const pods = await stage.kubectl([
      'get',
      'pods',
      '--selector',
      `headgate.dev/lane=${release?.candidate}`,
      '-o',
      'name',
    ]);
    const name = pods
      .split('\n')
      .find((pod) => pod.includes(`-${service}-`))
      ?.replace('pod/', '');
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: stage.namespace } };
    const path = `/api/v1/namespaces/${stage.namespace}/pods/${name}/eviction`;
    await stage.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  }
  const { code, out, err } = await releasing.ended;
  report.check(
    'a proxy and a worker of the candidate are evicted: it is promoted',
    code === 0,
    code === 0 ? '' : out + err,
  );
}

/** The revision before live is nowhere any more: it comes back into the idle lane. */
async function afterKeepWarm(stage: ClusterStage, report: Report): Promise<void> {
  const [first] = (await stage.head()).history;
  const before = await stage.head();
  const idle = before.live === 'blue' ? 'green' : 'blue';
  if (stage.spec.kubernetes?.driver === 'controller') {
    report.check('the lane that was kept warm is scaled to zero', await untilEmpty(stage, idle));
    const roles = await stage.kubectl([
      ...deploymentsOf(idle),
      'jsonpath={.items[*].metadata.labels.headgate\\.dev/role}',
    ]);
    report.check('and kubectl shows it as idle', roles === 'idle idle', roles);
  } else {
    await sleep(keepWarmMs);
    const { out } = await stage.run('status');
    report.check(
      'status says that the lane that was kept warm is due to be scaled to zero',
      /is due to go to zero/.test(out),
      out,
    );
  }
  const back = await stage.run('rollback', '--reason', 'too late for the warm lane');
  const after = await stage.head();
  report.check(
    'after keepWarm a rollback brings the revision before live into the idle lane',
    back.code === 0 && after.live === idle && after.lanes[idle]?.id === first?.revision,
    `${before.live} -> ${after.live} ${back.out}${back.err}`,
  );
}

function deploymentsOf(lane: string): readonly string[] {
  return ['get', 'deployments', '--selector', `headgate.dev/lane=${lane}`, '-o'];
}

async function untilEmpty({ kubectl }: ClusterStage, lane: string): Promise<boolean> {
  const sizes = [...deploymentsOf(lane), 'jsonpath={.items[*].spec.replicas}'];
  for (const end = Date.now() + endMaxMs; Date.now() < end; await sleep(1_000))
    if (/^(0 ?)+$/.test(await kubectl(sizes))) return true;
  return false;
}

/** A node that was not heard of for long is taken for lost, and until it is heard of the gateway answers 503 by itself. */
async function withoutCluster(stage: ClusterStage, report: Report): Promise<void> {
  const load = stage.load(100);
  await serverDown(stage, report);
  await nodeLost(stage, report);
  await checkOutside({ ...stage, load, mayFail: () => ['none'] }, report);
}

async function serverDown(stage: ClusterStage, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v3', '--insist');
  await whileHeld('kube-apiserver', () => sleep(serverAwayMs));
  const { code, out, err } = await releasing.ended;
  report.check(
    `the API server is away for ${serverAwayMs / 1_000} s: the release goes on afterwards, and is promoted`,
    code === 0,
    code === 0 ? '' : out + err,
  );
}

/** The only node is: both lanes are away, so that nothing can be said against either. */
async function nodeLost(stage: ClusterStage, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v4', '--insist');
  await stage.run('hold'); // Or it would be promoted before the node is taken for lost.
  const ready = await whileHeld('kubelet', async () => {
    await sleep(nodeLostMs);
    return stage.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}']);
  });
  await stage.run('resume');
  const { code, out, err } = await releasing.ended;
  report.check(
    'the node of both lanes is lost and comes back: the release goes on, and is promoted',
    code === 0 && ready === 'Unknown',
    `the node is ready: ${ready}${code === 0 ? '' : out + err}`,
  );
}

async function namespaceDeleted(stage: ClusterStage, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v5', '--insist');
  await stage.run('hold'); // Or it would be promoted while the cluster still clears the namespace.
  await stage.kubectl(['delete', 'namespace', stage.namespace, '--wait=false']);
  const gone = Date.now();
  const { code, err } = await Promise.race([releasing.ended, sleep(endMaxMs, { code: 0, err: 'it did not end' })]);
  // What is missed first is up to the cluster: the journal, the namespace around it, or the right to read it.
  const words = /the journal that had it is gone|its namespace must exist|check that the namespace exists/;
  report.check(
    'the namespace is deleted: whoever drives the release or waits for it hears of it',
    code === 69 && words.test(err),
    `${Date.now() - gone} ms, exit code ${code}: ${err.trim()}`,
  );
  const status = await stage.run('status');
  report.check(
    'and status does not say that nothing has been released',
    status.code === 69 && /its namespace must exist|check that the namespace exists/.test(status.err),
    `exit code ${status.code}: ${status.out}${status.err}`,
  );
}
