import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry } from '@headgate/rollout/servers';
import { readRequests } from '../src/image/test/requests.ts';
import { type Images, measurePerf, perfDefaults, verdictLines } from '../src/perf/gate.ts';
import { isCalm, judgePerf, type PerfRule, type PerfVerdict, perfRule, type Round } from '../src/perf/judge.ts';
import { clearing } from './clearing.ts';
import { repository } from './commands.ts';
import { writeRecorded } from './perf-replay.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { cache, readSpec } from './stage.ts';
import { openVersions } from './versions.ts';

type Verdict = PerfVerdict['kind'];

/** A small difference shows in the gate's own rounds, what is plainly bad in fewer. */
const { rounds, roundMs } = perfDefaults;
const long = { rounds, roundMs };
const short = { rounds: rounds / 5, roundMs };

const kinds: readonly Kind[] = [
  { name: 'the same image on both sides', right: ['notSlower'], ...long },
  {
    name: 'writes, 5 % of the requests, take 20 % longer',
    proxy: 'writes take 20 % longer',
    right: ['slower'],
    ...long,
  },
  { name: 'a single standstill of 1 s', proxy: 'stands still once for 1 s', right: ['slower'], ...short },
  { name: 'it takes 800 of 1000 requests/s', proxy: 'takes 800 requests/s', right: ['slower'], ...short },
  {
    name: 'the same image beside a noisy neighbour',
    right: ['notSlower', 'cannotTell'],
    around: besideNoise,
    ...short,
  },
];

type Kind = {
  readonly name: string;
  /** The new version's proxy (default: the old one's). */
  readonly proxy?: string;
  readonly right: readonly Verdict[];
  readonly around?: <T>(act: () => Promise<T>) => Promise<T>;
  readonly rounds: number;
  readonly roundMs: number;
};

const runsMax = 3;

/** The performance gate as `deliver` asks it, at 1000 requests/s, on versions whose speed is known. */
export async function perfGate(report: Report, { runs }: Scope): Promise<void> {
  await using bench = await openBench();
  const old = await bench.images('v1');
  for (const { name, proxy = 'v1', right, around = plainly, ...size } of kinds) {
    const after = await bench.images(proxy);
    const seen: PerfVerdict[] = [];
    for (let run = 0; run < Math.min(runs, runsMax); run++) {
      const verdict = judgePerf(await around(() => bench.measure(old, after, { ...size, rule: perfRule })), perfRule);
      for (const line of verdictLines(verdict)) report.say(line);
      seen.push(verdict);
    }
    const wrong = seen.filter(({ kind }) => !right.includes(kind));
    report.check(
      `${name}: ${right.join(' or ')} in ${seen.length - wrong.length} of ${seen.length} runs`,
      wrong.length === 0,
      wrong.map(({ kind, why }) => `${kind}, as ${why[0]}`).join('; '),
    );
  }
}

/**
 * Records what `perf-replay` draws from. What is recorded in quiet must have been so: on a machine that others share, by real-time
 * priority (`chrt -r 1`). Then they take only what is left over, which is no reason to leave a round out; a standstill is.
 */
export async function perfRecord(report: Report): Promise<void> {
  await using bench = await openBench();
  const old = await bench.images('v1');
  const rule = { ...perfRule, othersMax: Number.POSITIVE_INFINITY };
  const quiet = (await bench.measure(old, old, { ...long, rounds: recordedRounds, rule })).filter((one) =>
    isCalm(one, rule),
  );
  const noisy = await besideNoise(() => bench.measure(old, old, { ...short, rule: perfRule }));
  await writeRecorded({ quiet: quiet.map(undisturbed), noisy });
  report.check(
    `recorded ${quiet.length} rounds in quiet, ${noisy.length} beside noise`,
    quiet.length >= perfRule.roundsMin,
  );
}

const recordedRounds = 24;

function undisturbed({ machine: { before, after }, ...round }: Round): Round {
  return { ...round, machine: { before: { ...before, others: 0 }, after: { ...after, others: 0 } } };
}

type Size = Pick<Kind, 'rounds' | 'roundMs'> & { readonly rule: PerfRule };

async function openBench() {
  const spec = await readSpec(join(repository, 'headgate.yaml'));
  const { app, services } = spec;
  const requests = await readRequests(join(repository, 'services/rating'));
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const registry = await startRegistry();
  const image = openVersions(repository, sources, cache, `${new URL(registry.url).host}/${app}`);
  const imageFolder = join(folder, 'images');
  return {
    images: async (proxy: string): Promise<Images> => ({
      proxy: await image('proxy', proxy),
      rating: await image('rating', 'v1'),
    }),
    measure: (before: Images, after: Images, size: Size): Promise<readonly Round[]> => {
      const workFolder = join(folder, 'work');
      const load = { requests, perSecond: perfDefaults.perSecond, ...size, say: () => {} };
      const signal = AbortSignal.timeout(600_000);
      return measurePerf({ app, services, before, after, imageFolder, workFolder, ...load }, signal);
    },
    [Symbol.asyncDispose]: clearing(async () => {
      await registry[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      await rm(sources, { recursive: true, force: true });
    }),
  };
}

async function plainly<T>(act: () => Promise<T>): Promise<T> {
  return act();
}

/** Busy for a moment, then not, at times of its own; one such for each processor that the services have here. */
const noise = `
const pause = () => new Promise((resolve) => setTimeout(resolve, 200 + 800 * Math.random()));
for (;;) { for (const end = Date.now() + 200 + 800 * Math.random(); Date.now() < end; ); await pause(); }
`;

async function besideNoise<T>(act: () => Promise<T>): Promise<T> {
  // Nobody's children: the gate takes for its own what it has started itself.
  const one = `"$0" --input-type=module -e "$1" > /dev/null 2>&1 & echo $!`;
  const started = [1, 2].map(() => promisify(execFile)('sh', ['-c', one, process.execPath, noise]));
  const pids = (await Promise.all(started)).map(({ stdout }) => Number(stdout));
  const quiet = clearing(async () => pids.forEach((pid) => void process.kill(pid, 'SIGKILL')));
  try {
    return await act();
  } finally {
    await quiet();
  }
}
