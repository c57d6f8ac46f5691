import type { Step } from '../step.ts';
import type { Needs } from './attempt.ts';
import { valuesOf } from './attempt.ts';
import { runEffect } from './effect.ts';
import { failureOf } from './failure.ts';
import { runPure } from './pure.ts';
import { logFile, type Session, type StepResult } from './session.ts';
import { LogSpool } from './spool.ts';

/** One step from its needs to its result. What it throws becomes a result too; only a journal that fails is thrown. */
export async function executeStep(step: Step, needs: Needs, session: Session): Promise<StepResult> {
  const begun = performance.now();
  const { id } = step;
  const log = logFile(session, id);
  let spool: LogSpool | undefined;
  const openSpool = () => {
    spool = new LogSpool({
      file: log,
      redact: session.redact,
      onLine: (line) => session.emit({ kind: 'step.line', step: id, line }),
    });
    return spool;
  };
  try {
    const given = step.when({ out: valuesOf(needs), change: session.change });
    if (given !== true) {
      session.emit({ kind: 'step.skip', step: id, why: given });
      return { kind: 'skipped', why: given };
    }
    return await (step.kind === 'pure'
      ? runPure(step, needs, { session, openSpool })
      : runEffect(step, needs, { session, openSpool }));
  } catch (error) {
    if (session.signal.aborted) return { kind: 'interrupted' };
    const failure = failureOf(error);
    session.emit({ kind: 'step.fail', step: id, ms: performance.now() - begun, failure, tail: spool?.tail ?? [], log });
    return { kind: 'failed', failure };
  } finally {
    spool?.[Symbol.dispose]();
  }
}
