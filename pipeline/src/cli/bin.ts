#!/usr/bin/env node
import { hostname, userInfo } from 'node:os';
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

const code = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY === true,
  user: `${userInfo().username}@${hostname()}`,
  signal: told.signal,
});
process.exit(told.signal.aborted && code !== 0 ? (process.exitCode ?? 130) : code);
