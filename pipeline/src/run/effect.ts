import { HeadgateError } from '@headgate/rollout';
import { doerOf } from '../journal/turns.ts';
import { type EffectStep, whyPassedOver } from '../step.ts';
import { type Context, type Needs, parseValues, takeOutputs, withAttempts } from './attempt.ts';
import { effectEnvironment } from './environment.ts';
import { outputsHash } from './keys.ts';
import { underLock } from './lock.ts';
import { requireUntaken, type Session, type StepResult } from './session.ts';
import type { LogSpool } from './spool.ts';

/** Looks first, in every attempt: a run that was killed, or is repeated, does nothing twice. */
export async function runEffect(
  step: EffectStep,
  needs: Needs,
  { session, openSpool }: { readonly session: Session; readonly openSpool: () => LogSpool },
): Promise<StepResult> {
  const begun = performance.now();
  const spool = openSpool();
  const env = effectEnvironment(session.env, session.secrets);
  const { result, attempts } = await underLock(step, session, (locked) => {
    const attempt = { step, needs, key: undefined, changed: undefined, env, spool, session: locked };
    return withAttempts(attempt, (context) => act(step, context, locked));
  });
  const ms = performance.now() - begun;
  if ('why' in result) {
    session.emit({ kind: 'step.skip', step: step.id, why: result.why });
    return { kind: 'skipped', why: result.why };
  }
  const { acted, values } = result;
  const by = acted ? undefined : doerOf(step.id, session.before);
  session.emit({ kind: 'step.done', step: step.id, ms, acted, attempts, values, by });
  return { kind: 'done', ms, attempts, ...result };
}

async function act(step: EffectStep, context: Context, session: Session) {
  const looking = { ...context, secret: secretOf(session.secrets) };
  const observed = await step.observe(looking);
  if (observed.kind === 'done') {
    const values = parseValues(step, observed.values);
    return { acted: false, values, hash: outputsHash(values, []) };
  }
  requireUntaken(step.id, session, observed.diff);
  context.signal.throwIfAborted(); // Told to stop while it looked: begin nothing.
  session.emit({ kind: 'intent', step: step.id, what: observed.diff });
  const returned = await step.run({ ...looking, observed });
  const why = whyPassedOver(returned);
  if (why !== undefined) return { why };
  const { values, hash } = await takeOutputs(step, returned, session);
  return { acted: true, values, hash };
}

/** Hands out a run's secrets by name. */
export function secretOf(secrets: Readonly<Record<string, string>>): (name: string) => string {
  return (name) => {
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (secret !== undefined) return secret;
    throw new HeadgateError('USAGE', `Cannot use a secret as the run must be given it: current value is "${name}"`, {
      hint: `set ${name}`,
    });
  };
}
