import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry } from '@headgate/rollout/servers';
import { readRequests } from '../src/image/test/requests.ts';
import { type Images, type Measured, measurePerf, perfDefaults, verdictLines } from '../src/perf/gate.ts';
import { judgePerf, type PerfVerdict } from '../src/perf/judge.ts';
import { isCalm, type PerfRule, perfRule, type Round } from '../src/perf/rule.ts';
import { clearing } from './clearing.ts';
import { repository } from './commands.ts';
import { writeRecorded } from './perf-replay.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import { cache, readSpec } from './stage.ts';
import { openVersions } from './versions.ts';

type Verdict = PerfVerdict['kind'];

type Size = { readonly roundMs: number; readonly rule: PerfRule };

/** The gate's own rule in rounds half as long, and half as many at most, for time: what is plainly bad shows in fewer requests. What is not is played whole. */
const halved: PerfRule = {
  ...perfRule,
  looks: [
    { rounds: 6, share: 0.05 },
    { rounds: 8, share: 0.05 },
    { rounds: 12, share: 0.25 },
    { rounds: 16, share: 0.25 },
    { rounds: 20, share: 0.4 },
  ],
};
const half: Size = { roundMs: perfDefaults.roundMs / 2, rule: halved };
const whole: Size = { roundMs: perfDefaults.roundMs, rule: perfRule };

const kinds: readonly Kind[] = [
  {
    name: 'a single standstill of 1 s',
    proxy: 'stands still once for 1 s',
    right: ['slower'],
  },
  {
    name: 'it takes 800 of 1000 requests/s',
    proxy: 'takes 800 requests/s',
    right: ['slower'],
  },
  {
    name: 'the same image beside a noisy neighbour',
    right: ['notSlower', 'cannotTell'],
    around: besideNoise,
    size: { ...half, rule: { ...halved, looks: [{ rounds: 6, share: 1 }] } },
  },
  { name: 'the same image on both sides', right: ['notSlower'], orUndecided: true, size: whole },
  {
    name: 'writes, 5 % of the requests, take 20 % longer',
    proxy: 'writes take 20 % longer',
    right: ['slower'],
    size: whole,
  },
];

type Kind = {
  readonly name: string;
  /** The new version's proxy (default: the old one's). */
  readonly proxy?: string;
  readonly right: readonly Verdict[];
  /** In some of the runs: a machine that others share may leave it so, and a gate that cannot tell is wrong about nothing. Not in all. */
  readonly orUndecided?: boolean;
  readonly around?: <T>(act: () => Promise<T>) => Promise<T>;
  readonly size?: Size;
};

const runsMax = 3;
/** No run begins later, and none takes longer, so that all of it ends within nineteen minutes. Three runs of each take some twelve on two cores. */
const beginMaxMs = 700_000;
/** As long as the most rounds take, each second one disturbed and played again. */
const runMaxMs = 440_000;

/** The performance gate at 1000 requests/s on real images whose speed is known: once through all kinds, then again. */
export async function perfGate(report: Report, { runs }: Scope): Promise<void> {
  await using bench = await openBench();
  const begun = performance.now();
  const seen = kinds.map((): PerfVerdict[] => []);
  for (let run = 0; run < Math.min(runs, runsMax); run++)
    for (const [row, kind] of kinds.entries()) {
      if (performance.now() - begun > beginMaxMs) continue;
      const verdict = await bench.play(kind);
      report.say(`${kind.name}: ${verdictLines(verdict)[0]}`);
      seen[row]?.push(verdict);
    }
  for (const [row, kind] of kinds.entries()) check(report, kind, seen[row] ?? []);
}

function check(report: Report, { name, right, orUndecided = false }: Kind, seen: readonly PerfVerdict[]): void {
  const others = seen.filter(({ kind }) => !right.includes(kind));
  const wrong = others.filter(({ kind }) => !(orUndecided && kind === 'cannotTell'));
  report.check(
    `${name}: ${right.join(' or ')} in ${seen.length - others.length} of ${seen.length} runs`,
    seen.length > others.length && wrong.length === 0,
    others.map(({ kind, why }) => `${kind}, as ${why[0]}`).join('; '),
  );
}

/**
 * Records what `perf-replay` draws from. What is recorded in quiet must have been so: on a machine that others share, with real-time
 * priority. Then they take only what is left over, which is no reason to leave a round out; a standstill is.
 */
export async function perfRecord(report: Report): Promise<void> {
  await using bench = await openBench();
  const all = (rounds: number): PerfRule => ({ ...perfRule, looks: [{ rounds, share: 1 }], passMin: rounds + 1 });
  const { rounds, rule } = await bench.measure('v1', { roundMs: perfDefaults.roundMs, rule: all(24) });
  const quiet = rounds.filter((one) => isCalm(one, rule));
  const noisy = await besideNoise(() => bench.measure('v1', { roundMs: perfDefaults.roundMs, rule: all(4) }));
  await writeRecorded({ quiet: quiet.map(undisturbed), noisy: noisy.rounds });
  report.check(`recorded ${quiet.length} rounds in quiet, ${noisy.rounds.length} beside noise`, quiet.length >= 12);
}

function undisturbed({ machine: { before, after }, ...round }: Round): Round {
  return { ...round, machine: { before: { ...before, others: 0 }, after: { ...after, others: 0 } } };
}

async function openBench() {
  const { app, services } = await readSpec(join(repository, 'headgate.yaml'));
  const requests = await readRequests(join(repository, 'services/rating'));
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const registry = await startRegistry();
  const image = openVersions(repository, sources, cache, `${new URL(registry.url).host}/${app}`);
  const images = async (proxy: string): Promise<Images> => ({
    proxy: await image('proxy', proxy),
    rating: await image('rating', 'v1'),
  });
  const measure = async (proxy: string, size: Size): Promise<Measured> => {
    const [before, after] = [await images('v1'), await images(proxy)];
    const folders = { imageFolder: join(folder, 'images'), workFolder: join(folder, 'work') };
    const load = {
      requests,
      perSecond: perfDefaults.perSecond,
      ...size,
      crossCheck: false,
      say: () => {},
      warn: () => {},
    };
    return measurePerf(
      { app, services, migrate: undefined, beforeEnv: undefined, before, after, ...folders, ...load },
      AbortSignal.timeout(runMaxMs),
    );
  };
  return {
    measure,
    async play({ proxy = 'v1', around = plainly, size = half }: Kind): Promise<PerfVerdict> {
      const measured = await around(() => measure(proxy, size));
      return judgePerf(measured.rounds, measured.rule);
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
