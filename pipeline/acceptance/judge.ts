import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Head, openRecords, otherLane, readStatus } from '@headgate/rollout';
import { connect } from 'nats';
import type { Ran } from './commands.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { openStage, type Stage } from './stage.ts';

/** What the judge must find out beyond failures, and what it must not blame a candidate for. Each case is run so many times, with one outcome. */
const canary = '  steps: [5%, 25%, 50%]\n  bake: 3m\n  watch: 10s\n  keepWarm: 1m\n';
const perSecond = 100;
/** All `--runs` are for cases of seconds; these take minutes. */
const runsMax = 3;

type Part = (report: Report, scope: Scope) => Promise<void>;

export const judgeParts: Readonly<Record<string, Part>> = {
  latency: (report, { runs }) => mustGoBack(report, runs, latency),
  'stops-acking': (report, { runs }) => mustGoBack(report, runs, stopsAcking),
  expired: (report, { runs }) => mustGoBack(report, runs, expired),
  'both-lanes-slow': (report, { runs }) => mustStay(report, runs, bothLanesSlow),
  'metrics-down': (report, { runs }) => mustStay(report, runs, metricsDown),
  'no-traffic': (report, { runs }) => mustStay(report, runs, noTraffic),
};

type Bad = {
  readonly name: string;
  readonly live: string;
  readonly candidate: string;
  /** The rules that may speak. */
  readonly rules: RegExp;
  /** For how long messages live while the candidate has weight, instead of the two minutes that both lanes are set to. */
  readonly maxAgeMs?: number;
};

const latency: Bad = {
  name: 'p99 doubled, errors unchanged',
  live: '3 % take 300 ms',
  candidate: '3 % take 600 ms',
  rules: /slower than tolerated|workers take longer than tolerated/,
};

const stopsAcking: Bad = {
  name: 'workers stop acking while HTTP still answers',
  live: 'v1',
  candidate: 'stops acking after 15 s',
  rules: /oldest message waits|works off less than its share|delivered again more often|unanswered than tolerated/,
};

/** Messages live for 8 s only, so none ever grows old enough for the guard, and none is delivered twice. */
const expired: Bad = {
  name: 'messages expire unprocessed and are not taken for acked',
  live: 'v1',
  candidate: 'stops acking after 15 s',
  rules: /leaves more messages unanswered than tolerated|works off less than its share/,
  maxAgeMs: 8_000,
};

async function mustGoBack(report: Report, runs: number, bad: Bad): Promise<void> {
  await using stage = await openStage(canary);
  const first = await stage.release(bad.live);
  report.check(`${bad.live} is live`, first.code === 0, first.err.trim());
  const load = stage.load(perSecond);
  await sleep(30_000); // Some history to judge against.
  for (let run = 0; run < Math.min(runs, runsMax); run++) {
    const begun = Date.now();
    const releasing = stage.release(bad.candidate, '--insist');
    if (bad.maxAgeMs !== undefined) {
      await stage.until(isOpen);
      await setLives(stage, bad.maxAgeMs);
    }
    const { code, out, err } = await releasing;
    if (bad.maxAgeMs !== undefined) await setLives(stage, 120_000);
    const { text, failed } = ending(await stage.head());
    const rolledBack = code === 11 && bad.rules.test(text);
    report.check(
      `${bad.name}: rolled back by its rule, run ${run + 1}`,
      rolledBack && failed === 0,
      rolledBack ? '' : `${out.slice(-200)} ${err.slice(-200)}`,
    );
    report.say(`after ${Math.round((Date.now() - begun) / 1_000)} s: ${text}`);
  }
  await load.stop();
}

/** Why the last release ended, and how many of its users' requests had failed by then. */
function ending({ release, history }: Head): { readonly text: string; readonly failed: number } {
  const end = history.findLast(({ id }) => id === release?.id);
  return { text: end?.text ?? 'it has not ended', failed: /fails more than/.test(end?.text ?? '') ? 1 : 0 };
}

async function setLives({ nats: servers, spec }: Stage, maxAgeMs: number): Promise<void> {
  const nats = await connect({ servers });
  const manager = await nats.jetstreamManager();
  for (const lane of ['blue', 'green'])
    await manager.streams.update(`${spec.app}-${lane}`, { max_age: maxAgeMs * 1e6 });
  await nats.close();
}

type Good = {
  readonly name: string;
  readonly candidate: string;
  readonly perSecond: number;
  /** Resolves with what was wrong, or nothing. */
  readonly meanwhile: (stage: Stage) => Promise<string>;
};

const bothLanesSlow: Good = {
  name: 'a burst and a slow database that hit both lanes alike',
  candidate: 'v2',
  perSecond,
  async meanwhile(stage) {
    await sleep(10_000);
    const burst = stage.load(4 * perSecond);
    await sleep(15_000);
    await burst.stop();
    await slowDatabase(stage, 25_000);
    await sleep(20_000);
    return '';
  },
};

const metricsDown: Good = {
  name: 'the counts of the candidate cannot be read for 2 minutes',
  candidate: 'counts cannot be read for 2 min',
  perSecond,
  async meanwhile(stage) {
    await sleep(110_000);
    const { hold, head } = await statusOf(stage);
    const { phase } = head.release?.state ?? {};
    const blind = hold?.reason === 'no-metrics' && phase?.kind === 'holding';
    await sleep(60_000);
    const after = await statusOf(stage);
    if (!blind) return `after 110 s it does not say that it is blind: ${JSON.stringify(hold)} ${phase?.kind}`;
    return after.hold?.reason === 'no-metrics' ? `it still says ${after.hold.why}` : '';
  },
};

const noTraffic: Good = {
  name: 'no request at all',
  candidate: 'v2',
  perSecond: 0,
  async meanwhile(stage) {
    await sleep(75_000);
    const { hold, head } = await statusOf(stage);
    const { phase } = head.release?.state ?? {};
    const named = hold?.reason === 'no-traffic' && phase?.kind === 'holding' && phase.step === 0;
    return named ? '' : `it holds for ${JSON.stringify(hold)} in ${JSON.stringify(phase)}`;
  },
};

async function mustStay(report: Report, runs: number, good: Good): Promise<void> {
  await using stage = await openStage(canary);
  const first = await stage.release('v1');
  report.check('v1 is live', first.code === 0, first.err.trim());
  for (let run = 0; run < Math.min(runs, runsMax); run++) {
    const load = good.perSecond > 0 ? stage.load(good.perSecond) : undefined;
    await sleep(good.perSecond > 0 ? 30_000 : 0);
    const releasing = stage.release(good.candidate, '--insist');
    const { release } = await stage.until(isOpen);
    const wrong = await good.meanwhile(stage);
    const head = await stage.head();
    const kept = head.release?.id === release?.id && isAlive(head);
    report.check(
      `${good.name}: not rolled back, run ${run + 1}`,
      kept && wrong === '',
      kept ? wrong : ending(head).text,
    );
    report.say(await words(stage));
    await clear(stage, releasing);
    await load?.stop();
  }
}

/** The candidate has weight, and holds it. */
function isOpen({ release }: Head): boolean {
  return release?.state.phase.kind === 'holding';
}

function isAlive({ release }: Head): boolean {
  const kind = release?.state.phase.kind ?? '';
  return ['settling', 'holding', 'promoting', 'watching', 'promoted', 'retiring', 'retired'].includes(kind);
}

/** Ends what still runs, so that the next run begins as this one did. */
async function clear(stage: Stage, releasing: Promise<Ran>): Promise<void> {
  const { release } = await stage.head();
  if (release?.state.phase.kind === 'holding' || release?.state.phase.kind === 'settling')
    await stage.run('rollback', '--reason', 'acceptance: the next run');
  await releasing;
}

function statusOf({ spec, state }: Stage) {
  return readStatus(openRecords(spec, state), spec, AbortSignal.timeout(30_000));
}

async function words(stage: Stage): Promise<string> {
  const { evidence, hold, head } = await statusOf(stage);
  const at = head.release?.candidate === undefined ? '' : `live is ${otherLane(head.release.candidate)}, `;
  return `${at}${head.release?.state.phase.kind}; ${hold?.why ?? 'no hold'}; ${evidence?.text ?? ''}; promotion ${evidence?.logPromote?.toFixed(1)} nats`;
}

/** Stops what the database works with for a third of the time, as on a machine that is busy with something else. */
async function slowDatabase({ state }: Stage, ms: number): Promise<void> {
  const pidFile = await readFile(join(state, 'data', 'postgres', 'data', 'postmaster.pid'), 'utf8');
  const postmaster = Number(pidFile.split('\n')[0]);
  for (const end = Date.now() + ms; Date.now() < end; await sleep(400)) {
    const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
    const backends = children.trim().split(' ').map(Number);
    for (const pid of backends) signal(pid, 'SIGSTOP');
    await sleep(200);
    for (const pid of backends) signal(pid, 'SIGCONT');
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch {
    // A backend whose connection has ended is gone.
  }
}
