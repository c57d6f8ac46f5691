/** What is looked at while requests arrive. */
import type { Instance } from './instance.ts';
import { failuresOf, startLoad } from './load.ts';
import { expectNone, type Finding } from './report.ts';

/** Resident, at its peak: what a lane's memory limit must leave room for. */
const memoryMaxBytes = 200_000_000;

type Asking = {
  readonly instance: Instance;
  /** Gives the status, 0 for no answer. */
  readonly send: () => Promise<number>;
};

export async function staysSmall({ instance, send }: Asking, signal: AbortSignal): Promise<Finding> {
  const load = startLoad(send, signal);
  await load.untilSent(200);
  const problems = failuresOf(await load.stop());
  const bytes = await instance.peakBytes();
  const shown = `${(bytes / 1e6).toFixed(0)} MB`;
  if (bytes > memoryMaxBytes) problems.push(`${shown} are more than ${memoryMaxBytes / 1e6} MB`);
  return expectNone(problems, `${shown} of at most ${memoryMaxBytes / 1e6} MB`);
}

/**
 * Tells the instance to stop in the middle of a load. `goesOn`: others take over, so requests keep coming; otherwise a
 * balancer sends nothing from the signal on. What was taken must be answered either way.
 */
export async function drainsUnderLoad(
  { instance, send }: Asking,
  { graceMs, goesOn }: { graceMs: number; goesOn: boolean },
  signal: AbortSignal,
): Promise<Finding> {
  const load = startLoad(send, signal);
  await load.untilSent(100);
  const answered = goesOn ? load.untilSent(200).then(load.stop) : load.stop();
  const start = performance.now();
  const { code, signal: killed } = await instance.stop(graceMs);
  const ms = Math.round(performance.now() - start);
  const statuses = await answered;
  const problems = failuresOf(statuses);
  if (code !== 0)
    problems.push(`it ended with ${code ?? killed} after ${ms} ms, and must end with 0 within ${graceMs} ms`);
  return expectNone(problems, `${statuses.length} requests, 0 failed, exit 0 after ${ms} ms`);
}
