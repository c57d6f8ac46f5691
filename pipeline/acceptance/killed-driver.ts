import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clearing } from './clearing.ts';
import { checkOutside } from './outside.ts';
import type { Report } from './report.ts';
import { casesOf, type Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

const moments = ['before-record', 'after-record', 'before-confirm'] as const;
const forward = ['starting', 'settling', 'holding', 'promoting', 'watching'] as const;
const stages = ['closing', 'fencing', 'stopping', 'binding', 'draining', 'retiring', 'emptying', 'unbinding'] as const;

/** A version that goes bad after its promotion is watched for so long that it is found out. */
const watchMs = { short: 2_000, long: 40_000 };

type Trial = {
  readonly version: string;
  readonly phase: string;
  readonly moment: (typeof moments)[number];
  readonly code: number;
  readonly watchMs: number;
};

/** In an order in which each of fourteen shares has all three moments. */
const trials: readonly Trial[] = [
  ...each(forward, { version: 'v2', code: 0, watchMs: watchMs.short }),
  ...each(
    stages.map((name) => `rollingBack/${name}`),
    { version: 'answers 404', code: 11, watchMs: watchMs.short },
  ),
  // The driver dies while the former lane gets its traffic back.
  ...each(['returning'], { version: 'answers 500 after 25 s', code: 11, watchMs: watchMs.long }),
];

/**
 * The driver dies before a record, between record and act, and between act and confirmation, at every phase of promote and of
 * roll back, under traffic. The next command must end the release rightly, with nothing lost or done twice.
 */
export async function killedDriver(report: Report, { share }: Scope, open: OpenStage): Promise<void> {
  const played = casesOf(trials, share);
  await using stage = await open(
    `  latency: rollback\n  steps: [50%]\n  bake: 2s\n  watch: ${watchMs.short}ms\n  keepWarm: 5m\n`,
  );
  await stage.release('v1');
  const load = stage.load(200);
  let good = 'v2';
  for (const one of played) {
    const isGood = one.version === 'v2';
    await trial(stage, isGood ? { ...one, version: good } : one, report);
    if (isGood) good = good === 'v2' ? 'v3' : 'v2'; // It must be another one than live.
  }
  await checkOutside({ ...stage, load }, report);
}

function each(phases: readonly string[], rest: Pick<Trial, 'version' | 'code' | 'watchMs'>): readonly Trial[] {
  return phases.flatMap((phase) => moments.map((moment) => ({ phase, moment, ...rest })));
}

async function trial(
  stage: Stage,
  { version, phase, moment, code, watchMs: ms }: Trial,
  report: Report,
): Promise<void> {
  await setWatch(stage, ms);
  const before = (await stage.head()).live;
  const images = await stage.images(version);
  const driver = join(import.meta.dirname, 'driver.ts');
  const args = ['--import', 'tsx', '--conditions=source', driver, stage.file, stage.state, moment, phase, ...images];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], env: stage.env });
  const kill = clearing(async () => void child.kill('SIGKILL'));
  const timer = setTimeout(kill, 90_000);
  const [exit, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  await kill();
  const ended = await stage.run('wait', '--timeout', '90');
  const { live } = await stage.head();
  const right = ended.code === code && (code === 0 ? live !== before : live === before);
  report.check(
    `${moment} of ${phase}: the next command ends it`,
    signal === 'SIGKILL' && right,
    right && signal === 'SIGKILL'
      ? ''
      : `driver ${exit ?? signal}, next ${ended.code}, live ${before} -> ${live} ${ended.err.slice(-200)}`,
  );
}

/** The command that begins a release reads it. */
async function setWatch({ file }: Stage, ms: number): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/(?<=^ +watch: ).*$/m, `${ms}ms`));
}
