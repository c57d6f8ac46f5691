/**
 * The one temporary folder of a test run, and the end of everything in it, however the run ends. Jest calls the default export before
 * the tests. As a program (`jest-ground.js <pid> <folder>`) it waits until that process is gone, then clears the folder: a run that was
 * interrupted or killed -9 cannot do it by itself, and supervisors are detached from whoever starts them.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const prefix = 'headgate-tests-';
const lookEveryMs = 250;
const stopMaxMs = 60_000;
/** State folders lie at most so deep in the folder of a run. */
const depthMax = 4;

const [, program = '', pid, folder] = process.argv;
if (import.meta.url === pathToFileURL(program).href && folder !== undefined) {
  while (isAlive(Number(pid))) await sleep(lookEveryMs);
  // A supervisor that was just being started makes its state folder after a first clearing, and files that others look for are gone then.
  for (const end = Date.now() + stopMaxMs; ; await sleep(lookEveryMs)) {
    await clear(folder).catch(() => {}); // Somebody writes into it at the same time: at the next look there is less.
    const users = usersOf(folder);
    if (users.length === 0 && !existsSync(folder)) break;
    const isLate = Date.now() > end;
    for (const user of users) kill(user, isLate ? 'SIGKILL' : 'SIGTERM');
    if (isLate) break;
  }
}

export default async function openGround() {
  const place = tmpdir();
  const left = readdirSync(place).filter((name) => name.startsWith(prefix));
  for (const name of left) if (!isAlive(Number(name.slice(prefix.length)))) await clear(join(place, name));
  const own = join(place, `${prefix}${process.pid}`);
  mkdirSync(own, { recursive: true });
  process.env.TMPDIR = own;
  // A worker whose parent was killed would go on to the end of its tests.
  const tie = new URL('./jest-worker-tie.js', import.meta.url).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${tie}`.trim();
  const keeper = [fileURLToPath(import.meta.url), String(process.pid), own];
  spawn(process.execPath, keeper, { detached: true, stdio: 'ignore', cwd: '/', env: {} }).unref();
}

/** Ends the supervisors that the folder holds, and removes it. */
async function clear(run) {
  const states = statesIn(run, depthMax);
  if (states.length > 0) {
    const { stopSupervisor } = await import('@headgate/rollout');
    await Promise.all(states.map((state) => stopSupervisor(state, AbortSignal.timeout(stopMaxMs)).catch(() => {})));
  }
  rmSync(run, { recursive: true, force: true, maxRetries: 10 });
}

function statesIn(place, depth) {
  if (depth === 0 || !existsSync(place)) return [];
  const entries = readdirSync(place, { withFileTypes: true });
  const inner = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => statesIn(join(place, name), depth - 1));
  return entries.some(({ name }) => name === 'supervisor.sock' || name === 'pids') ? [place, ...inner] : inner;
}

/** Processes that have it as their temporary folder. */
function usersOf(run) {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return numbers.filter((number) => environmentOf(number).includes(`TMPDIR=${run}`)).map(Number);
}

function kill(number, signal) {
  try {
    process.kill(number, signal);
  } catch {} // It has ended by itself.
}

function environmentOf(number) {
  try {
    return readFileSync(`/proc/${number}/environ`, 'utf8').split('\0');
  } catch {
    return []; // It has ended, or is somebody else's.
  }
}

function isAlive(number) {
  try {
    process.kill(number, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}
