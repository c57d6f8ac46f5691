import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { clearing } from './clearing.ts';
import { checkOutside } from './outside.ts';
import type { Report } from './report.ts';
import type { OpenStage, Stage } from './stage.ts';

const moments = ['before-record', 'after-record', 'before-confirm'] as const;
const forward = ['starting', 'settling', 'holding', 'promoting', 'watching'] as const;
const stages = ['closing', 'fencing', 'stopping', 'binding', 'draining', 'retiring', 'emptying', 'unbinding'] as const;

/**
 * The driver dies before a record, between record and act, and between act and confirmation, at every phase of promote and of
 * roll back, under traffic. The next command must end the release rightly, with nothing lost or done twice.
 */
export async function killedDriver(report: Report, _runs: number, open: OpenStage): Promise<void> {
  await untilPromoted(report, open);
  await inTheWatch(report, open);
}

async function untilPromoted(report: Report, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [50%]\n  bake: 2s\n  watch: 2s\n  keepWarm: 5m\n');
  await stage.release('v1');
  const load = stage.load(200);
  let version = 'v2';
  for (const phase of forward) {
    for (const moment of moments) {
      await trial(stage, { version, phase, moment, code: 0 }, report);
      version = version === 'v2' ? 'v3' : 'v2';
    }
  }
  for (const name of stages) {
    for (const moment of moments)
      await trial(stage, { version: 'answers 404', phase: `rollingBack/${name}`, moment, code: 11 }, report);
  }
  await checkOutside({ ...stage, load }, report);
}

/** A version that goes bad after its promotion: the driver dies while the former lane gets its traffic back. */
async function inTheWatch(report: Report, open: OpenStage): Promise<void> {
  await using stage = await open('  latency: rollback\n  steps: [50%]\n  bake: 2s\n  watch: 40s\n  keepWarm: 5m\n');
  await stage.release('v1');
  const load = stage.load(200);
  for (const moment of moments)
    await trial(stage, { version: 'answers 500 after 25 s', phase: 'returning', moment, code: 11 }, report);
  await checkOutside({ ...stage, load }, report);
}

type Trial = {
  readonly version: string;
  readonly phase: string;
  readonly moment: (typeof moments)[number];
  readonly code: number;
};

async function trial(stage: Stage, { version, phase, moment, code }: Trial, report: Report): Promise<void> {
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
