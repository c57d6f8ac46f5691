#!/usr/bin/env node
import { exitCodes, HeadgateError } from '@headgate/rollout';
import { actorOf, personOf } from '../host/actor.ts';
import { openGithubGuard, openPlainGuard } from '../host/guard.ts';
import { hostKindOf } from '../host/host.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { main } from './main.ts';

const told = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (told.signal.aborted) return; // The first signal is enough: what is under way ends safely within seconds.
    process.exitCode = name === 'SIGINT' ? 130 : 143;
    told.abort(new Error(name));
  });
}
// A reader that has seen enough (`headgate status | head`) is no failure.
process.stdout.on('error', () => process.exit(0));

const kind = orSay(() => hostKindOf(process.env));
const onGithub = kind === 'github';
const redact = orSay(() => redactor(secretsOf(process.env)));
const guard = (onGithub ? openGithubGuard : openPlainGuard)((text) => process.stdout.write(redact(text)));
const code = await main(process.argv.slice(2), {
  out: guard.write,
  // GitHub's runner reads both streams apart, and would obey one while the other is guarded.
  err: onGithub ? guard.write : (text) => process.stderr.write(redact(text)),
  env: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY === true,
  user: actorOf(kind, process.env),
  person: personOf(kind, process.env),
  signal: told.signal,
  guard,
});
guard.close();
process.exit(told.signal.aborted && code !== 0 ? (process.exitCode ?? 130) : code);

/** Before there is a guard, a mistake in the variables ends the process with nothing but its sentence. */
function orSay<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof HeadgateError)) throw error;
    process.stderr.write(`${error.message}\n  ${error.hint}\n`);
    process.exit(exitCodes[error.code]);
  }
}
