#!/usr/bin/env node
import { setImmediate } from 'node:timers/promises';
import { exitCodes, HeadgateError } from '@headgate/rollout/errors';
import { actorOf, personOf } from '../host/actor.ts';
import { openStreams } from '../host/guard.ts';
import { hostKindOf } from '../host/host.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { isShowing, main, programOf } from './main.ts';

const args = process.argv.slice(2);
const told = new AbortController();
// SIGHUP: the terminal was closed, and whoever sat there may have driven a release.
const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
for (const [name, code] of Object.entries(codes)) {
  process.on(name, () => {
    if (told.signal.aborted) return; // The first signal is enough: what is under way ends safely within seconds.
    process.exitCode = code;
    told.abort(new Error(name));
  });
}
// Who only shows something is done when its reader has seen enough (`headgate status | head`). Any other command goes on unseen: a
// release is not left alone, nor called good, because a log is full.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (isShowing(args)) process.exit(code === 'EPIPE' ? 0 : exitCodes.STEP_FAILED);
});
process.stderr.on('error', () => {});

const kind = orSay(() => hostKindOf(process.env));
const redact = orSay(() => redactor(secretsOf(process.env)));
const streams = openStreams(
  { isGithub: kind === 'github', program: programOf(args) },
  (text) => process.stdout.write(redact(text)),
  (text) => process.stderr.write(redact(text)),
);
const code = await main(args, {
  out: streams.guard.write,
  err: streams.err,
  env: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY === true,
  user: actorOf(kind, process.env),
  person: personOf(kind, process.env),
  signal: told.signal,
  guard: streams.guard,
});
streams.close();
await setImmediate(); // Whether the last words could be written is told after they are.
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
