/**
 * What must hold on real servers and takes too long for `npm test`. `npm run acceptance -- [part …] [--turn] [--runs n] [--share n|i/n] [--on local|controller|cli|either]`;
 * by default all parts on this machine. Of the parts named `--turn` plays the one whose turn it is with the commit which is checked out. `controller` and `cli` say who drives on the test cluster (`npm run cluster:up -- --gateways 2`).
 */
import { parseArgs } from 'node:util';
import { ab } from './ab.ts';
import { adopting } from './adopting.ts';
import { badVersions } from './bad-versions.ts';
import { blueGreen } from './blue-green.ts';
import { cancelled } from './cancelled.ts';
import { clearWhenInterrupted } from './clearing.ts';
import type { Driver } from './cluster/furnish.ts';
import { openClusterHosts } from './cluster/hosts.ts';
import { openClusterStage } from './cluster/stage.ts';
import { clusterLife } from './cluster-life.ts';
import { deliverAgain } from './deliver-again.ts';
import { heldBack } from './held-back.ts';
import { type OpenHosts, openHosts } from './hosts.ts';
import { idle } from './idle.ts';
import { ingress } from './ingress.ts';
import { interruptedDemo } from './interrupted-demo.ts';
import { interruptedTests } from './interrupted-tests.ts';
import { jobs } from './jobs.ts';
import { judgeParts } from './judge.ts';
import { killedDelivery } from './killed-delivery.ts';
import { killedDriver } from './killed-driver.ts';
import { killedRun } from './killed-run.ts';
import { kubernetes } from './kubernetes.ts';
import { laneLife } from './lane-life.ts';
import { littleTraffic } from './little-traffic.ts';
import { merges } from './merges.ts';
import { neverStarts } from './never-starts.ts';
import { otherWriter } from './other-writer.ts';
import { perfGate, perfRecord } from './perf-gate.ts';
import { perfReplay } from './perf-replay.ts';
import { Report } from './report.ts';
import { rivals } from './rivals.ts';
import { casesOf, parseShare, type Scope } from './scope.ts';
import { serverAway } from './server-away.ts';
import { signed } from './signed.ts';
import { split } from './split.ts';
import { type OpenStage, openStage } from './stage.ts';
import { statusStart } from './status-start.ts';
import { tenReleases } from './ten-releases.ts';
import { throughCi } from './through-ci.ts';
import { twoTerminals } from './two-terminals.ts';
import { wholeChain } from './whole-chain.ts';

const parts = {
  split,
  'two-terminals': twoTerminals,
  'ten-releases': tenReleases,
  'blue-green': blueGreen,
  ab,
  'little-traffic': littleTraffic,
  'killed-driver': killedDriver,
  'through-ci': throughCi,
  'whole-chain': wholeChain,
  jobs,
  'killed-run': killedRun,
  'killed-delivery': killedDelivery,
  cancelled,
  'deliver-again': deliverAgain,
  merges,
  signed,
  'interrupted-demo': interruptedDemo,
  'interrupted-tests': interruptedTests,
  'bad-versions': badVersions,
  'perf-gate': perfGate,
  'perf-replay': perfReplay,
  'perf-record': perfRecord,
  ...judgeParts,
  kubernetes,
  idle,
  'server-away': serverAway,
  'never-starts': neverStarts,
  'lane-life': laneLife,
  'status-start': statusStart,
  ingress,
  'held-back': heldBack,
  'other-writer': otherWriter,
  adopting,
  rivals,
  'cluster-life': clusterLife,
} as const satisfies Record<
  string,
  (report: Report, scope: Scope, open: OpenStage, openHosts: OpenHosts) => Promise<void>
>;

/** They stand up a controller of their own. */
const needController: readonly string[] = [
  'kubernetes',
  'idle',
  'never-starts',
  'held-back',
  'other-writer',
  'adopting',
  'rivals',
];

const needCluster: readonly string[] = [
  ...needController,
  'jobs',
  'server-away',
  'lane-life',
  'status-start',
  'ingress',
];

/** It writes into the repository. */
const onlyAsked: readonly string[] = ['perf-record'];

type Place = { readonly stage: OpenStage; readonly hosts: OpenHosts };

const clusterWith = (driver: Driver): Place => ({
  stage: (release, router) => openClusterStage(release, driver, router && { router }),
  hosts: (state, staging) => openClusterHosts(state, driver, staging),
});

const places: Readonly<Record<string, Place>> = {
  local: { stage: openStage, hosts: openHosts },
  controller: clusterWith('controller'),
  cli: clusterWith('cli'),
};

const { values, positionals } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    turn: { type: 'boolean', default: false },
    share: { type: 'string', default: '1/1' },
    on: { type: 'string', default: 'local' },
    help: { type: 'boolean', short: 'h', default: false },
  },
  allowPositionals: true,
});
const choice = `parts are ${Object.keys(parts).join(', ')}; places are ${Object.keys(places).join(', ')}, either`;
if (values.help) {
  process.stdout.write(`npm run acceptance -- [part …] [--turn] [--runs n] [--share n|i/n] [--on place]\n${choice}\n`);
  process.exit(0);
}
/** A driver of the cluster: of two that take too long for every commit, the one whose turn it is. */
const [on = values.on] =
  values.on === 'either' ? casesOf(['controller', 'cli'], parseShare('2', 'driver')) : [values.on];
const place = places[on];
const unknown = positionals.filter((name) => !(name in parts));
if (place === undefined || unknown.length > 0) {
  process.stderr.write(`Cannot play ${unknown.join(', ') || on}: ${choice}\n`);
  process.exit(2);
}
const unplayable = on === 'cli' ? positionals.filter((name) => needController.includes(name)) : [];
if (unplayable.length > 0) {
  process.stderr.write(`Cannot play ${unplayable.join(', ')} on cli, as a controller drives there: --on controller\n`);
  process.exit(2);
}
if (values.turn && positionals.length === 0) {
  process.stderr.write('Cannot say whose turn it is: name the parts that take turns\n');
  process.exit(2);
}
clearWhenInterrupted();
const scope: Scope = { runs: Number(values.runs), share: parseShare(values.share, on) };
const report = new Report();
const { at, of } = scope.share;
if (of > 1) report.say(`share ${at} of ${of}: --share ${at}/${of} --on ${on}`);
const named = values.turn ? casesOf(positionals, parseShare(`${positionals.length}`, on)) : positionals;
for (const [name, part] of Object.entries(parts)) {
  const isDefault = !needCluster.includes(name) && !onlyAsked.includes(name);
  if (named.length === 0 ? !isDefault : !named.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  const begun = performance.now();
  try {
    const { stage, hosts } = needCluster.includes(name) && on === 'local' ? clusterWith('controller') : place;
    await part(report, scope, stage, hosts);
  } catch (error) {
    report.check(
      `${name} came to its end`,
      false,
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  }
  report.say(`took ${Math.round((performance.now() - begun) / 1_000)} s`);
}
process.exit(report.close());
