import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Head } from '@headgate/rollout';
import { isFailed } from '../src/perf/ledger.ts';
import { requestsOf } from './cluster/audit.ts';
import { whileHeld } from './cluster/fault.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { driverOf } from './kubernetes.ts';
import { releaseFirst } from './releasing.ts';
import { median, type Report } from './report.ts';
import { casesOf, type Scope } from './scope.ts';

const perSecond = 100;
const runsMax = 3;
const idleMs = 60_000;
const blindAfterMs = 30_000;
const blindMs = 60_000;

/**
 * One way in which delivery tools differ. `figures`: what one run of it showed, in the unit of `unit`. An aim that is missed is told as
 * missed; `bound`, where it stands, is what a machine with two cores has held so far, and more than that is a fault (default: the aim).
 */
type Row = {
  readonly name: string;
  readonly unit: 's' | 'requests' | 'requests/s' | 'mistakes';
  readonly aim: number;
  readonly bound?: number;
  readonly figures: readonly number[];
};

/** What progressive delivery is compared by: each case, or its share of them, on the cluster, with users through the gateway, three times. Prints a table for the README. */
export async function rivals(report: Report, { runs, share }: Scope): Promise<void> {
  await using stage = await openClusterStage(
    '  latency: rollback\n  steps: [5%, 25%, 50%]\n  bake: 3m\n  watch: 2s\n  keepWarm: 1m\n',
    'controller',
  );
  await releaseFirst(stage, report);
  const cases = [allFail, metricsKilled, driverKilled, driversRestarted, crashes, idle, good];
  const rows: Row[] = [];
  for (const play of casesOf(cases, share)) {
    const seen: (readonly Row[])[] = [];
    for (let run = 0; run < Math.min(runs, runsMax); run++) seen.push(await play(stage, run));
    const played = together(seen);
    rows.push(...played);
    for (const { name, unit, figures } of played) report.say(`${name}: ${figures.join(', ')} ${unit}`);
  }
  for (const { name, unit, aim, bound = aim, figures } of rows) {
    const worst = Math.max(...figures);
    report.check(`${name}: at most ${bound} ${unit}`, worst <= bound, `${median(figures)} ${unit}, worst ${worst}`);
  }
  process.stdout.write(`\n${tableOf(rows).join('\n')}\n\n`);
}

/** As it stands in README. */
function tableOf(rows: readonly Row[]): readonly string[] {
  const lines = rows.map(({ name, unit, aim, figures }) => {
    const of = (figure: number) => (unit === 's' ? `${figure} s` : unit === 'requests/s' ? `${figure}/s` : `${figure}`);
    const [middle, worst] = [median(figures), Math.max(...figures)];
    return `| ${name} | ${of(middle)}${middle > aim ? ', **missed**' : ''} | ${of(worst)} | ${of(aim)} |`;
  });
  return ['| case | median | worst | aim |', '|---|---|---|---|', ...lines];
}

function together(seen: readonly (readonly Row[])[]): readonly Row[] {
  const [first = []] = seen;
  return first.map((row, i) => ({ ...row, figures: seen.flatMap((rows) => rows[i]?.figures ?? []) }));
}

type Play = (stage: ClusterStage, run: number) => Promise<readonly Row[]>;

const allFail: Play = async (stage) => {
  const load = stage.load(perSecond);
  const { code } = await stage.release('answers 500 after 15 s', '--insist');
  const failed = (await load.stop()).filter(isFailed);
  const span = code === 11 ? secondsBetween(failed[0]?.at, failed.at(-1)?.at) : Number.POSITIVE_INFINITY;
  return [
    { name: 'all answers 500 at 5 %: first to last bad answer', unit: 's', aim: 2, bound: 5, figures: [span] },
    { name: 'the same: failed requests', unit: 'requests', aim: 12, bound: 25, figures: [failed.length] },
  ];
};

/** The weight moves, nobody is told why it does not, or it does not go on afterwards: each is a mistake. */
const metricsKilled: Play = async (stage, run) => {
  const load = stage.load(perSecond);
  const releasing = stage.start('release', ...(await stage.images(`v${run + 2}`)), '--insist', '--reason', 'blind');
  const { release } = await stage.until((head) => head.release?.state.phase.kind === 'holding');
  const isFirstStep = ({ release: now }: Head) =>
    now?.id === release?.id && now?.state.phase.kind === 'holding' && now.state.phase.step === 0;
  await sleep(blindAfterMs);
  const right = await whileHeld('metrics', async () => {
    await sleep(blindMs); // The next step, which is due after 60 s, falls into it.
    const { out } = await stage.run('status');
    return [isFirstStep(await stage.head()), /because +.*\b(read|counts|metrics)\b/.test(out)];
  });
  right.push(await stage.until((head) => !isFirstStep(head)).then(isGoingOn, () => false));
  await stage.run('rollback', '--reason', 'seen');
  await releasing.ended;
  await load.stop();
  const figures = [right.filter((isRight) => !isRight).length];
  return [{ name: 'healthy version, metrics killed: moves, silence, stays', unit: 'mistakes', aim: 0, figures }];
};

function isGoingOn({ release }: Head): boolean {
  return release?.state.phase.kind === 'settling' || release?.state.phase.kind === 'holding';
}

/** The version is bad from its first request; whoever drives dies 1 s after it got 5 %. */
const driverKilled: Play = async (stage) => {
  const figure = await lastBadAfter(stage, async () => {
    const killed = Date.now();
    await killAll(await driverOf(stage));
    return killed;
  });
  return [
    {
      name: 'controller killed while the version is bad: last bad answer after that',
      unit: 's',
      aim: 5,
      figures: [figure],
    },
  ];
};

/** As above, and there is no second one that could go on: all of them are killed, and Kubernetes starts them again. */
const driversRestarted: Play = async (stage) => {
  const all = () => stage.processesOf('--selector', 'app.kubernetes.io/name=headgate-controller');
  const figure = await lastBadAfter(stage, async () => {
    const killed = new Set(await killAll(await all()));
    // None of the last look was there yet at its begin: the span is not shorter than what is claimed.
    for (let begun = Date.now(); ; begun = Date.now()) {
      const [again] = (await programsAmong(await all())).filter((pid) => !killed.has(pid));
      if (again !== undefined) return begun;
    }
  });
  return [
    {
      name: 'every controller killed at that time: last bad answer after one is back',
      unit: 's',
      aim: 3,
      figures: [figure],
    },
  ];
};

/** Its users see errors of a version that is bad from its first request until somebody drives. @param harm tells when the span begins */
async function lastBadAfter(stage: ClusterStage, harm: () => Promise<number>): Promise<number> {
  const load = stage.load(perSecond);
  const releasing = stage.release('answers 404', '--insist');
  await stage.until(({ release }) => release?.state.phase.kind === 'holding');
  await sleep(1_000);
  const begun = await harm();
  await releasing;
  const last = (await load.stop()).findLast(isFailed);
  return Math.max(0, secondsBetween(begun, last?.at));
}

async function killAll(pids: readonly number[]): Promise<readonly number[]> {
  const programs = await programsAmong(pids);
  for (const pid of programs) process.kill(pid, 'SIGKILL');
  return programs;
}

/** Without the process that holds a pod's network: killed as well, it would be another pod that comes. */
async function programsAmong(pids: readonly number[]): Promise<readonly number[]> {
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')));
  return pids.filter((_, i) => names[i]?.trim() === 'node');
}

const crashes: Play = async (stage) => {
  const begun = Date.now();
  const { code, out, err } = await stage.release('exits at its start', '--insist');
  const named = code === 11 && /crash|exit/i.test(out + err);
  const figures = [named ? secondsBetween(begun, Date.now()) : Number.POSITIVE_INFINITY];
  return [{ name: 'crash at start: named and ended', unit: 's', aim: 20, figures }];
};

const idle: Play = async (stage) => {
  await sleep(5_000);
  const from = Date.now();
  await sleep(idleMs);
  const asked = await requestsOf(`${stage.namespace}:headgate-controller`, from, from + idleMs);
  const figures = [asked.length / (idleMs / 1_000)];
  return [{ name: 'idle, one app: requests to the API server', unit: 'requests/s', aim: 0.1, figures }];
};

const good: Play = async (stage, run) => {
  const load = stage.load(perSecond);
  const begun = Date.now();
  const releasing = stage.release(`v${run + 2}`, '--insist'); // It was taken back above, by hand.
  const at100 = await stage.until(({ release }) => release?.state.phase.kind === 'watching', 400_000);
  const took = secondsBetween(begun, sinceOf(at100));
  await releasing;
  const failed = (await load.stop()).filter(isFailed);
  return [
    { name: 'good version, 5/25/50/100 % at 60 s each', unit: 's', aim: 200, bound: 230, figures: [took] },
    { name: 'the same: failed requests', unit: 'requests', aim: 0, figures: [failed.length] },
  ];
};

function sinceOf({ release }: Head): number | undefined {
  return release?.state.phase.since;
}

/** To a tenth. */
function secondsBetween(from: number | undefined, to: number | undefined): number {
  return Math.round(((to ?? Number.NaN) - (from ?? Number.NaN)) / 100) / 10;
}
