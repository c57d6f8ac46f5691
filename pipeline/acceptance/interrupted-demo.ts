import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './report.ts';

const repository = resolve(import.meta.dirname, '../..');
const state = join(repository, '.headgate', 'demo');
const endMaxMs = 15_000;

/** Moments of the story, by a line that the demo prints then. */
const moments = [
  { name: 'while an image is tested', line: /imagetest:/ },
  { name: 'while the second release has weight', line: /v2, a good release[\s\S]*(settling|holding|at 5 %|weight)/ },
] as const;

/**
 * Ctrl-C in the middle of the demo ends everything in seconds. After a kill -9, which nobody can hear, no process stays, and the
 * next demo clears the rest and comes to its end.
 */
export async function interruptedDemo(report: Report): Promise<void> {
  const temporary = await mkdtemp(join(tmpdir(), 'headgate-interrupted-'));
  for (const { name, line } of moments) {
    const demo = start(temporary);
    await said(demo, line);
    const ports = await openPorts();
    const begun = performance.now();
    signalGroup(demo.child, 'SIGINT');
    const code = await demo.ended;
    const ms = Math.round(performance.now() - begun);
    report.check(`Ctrl-C ${name} ends the demo within ${endMaxMs / 1_000} s`, ms < endMaxMs, `${ms} ms`);
    report.check(`Ctrl-C ${name} exits 130`, code === 130, String(code));
    await checkGone(report, `after Ctrl-C ${name}`, { ports, temporary });
    report.check(`no state is left after Ctrl-C ${name}`, !existsSync(state));
  }
  const killed = start(temporary);
  await said(killed, moments[1].line);
  const ports = await openPorts();
  signalGroup(killed.child, 'SIGKILL');
  await killed.ended;
  await checkGone(report, 'after kill -9', { ports, temporary });
  const second = start(temporary);
  const code = await second.ended;
  report.check('the demo after a killed one succeeds', code === 0, code === 0 ? '' : second.text().slice(-2_000));
  await checkGone(report, 'after it', { ports: [], temporary });
  report.check('no state is left after it', !existsSync(state));
  await rm(temporary, { recursive: true, force: true });
}

type Demo = {
  readonly child: ChildProcess;
  readonly text: () => string;
  /** Exit code; as a shell tells a signal. */
  readonly ended: Promise<number>;
};

/** As a terminal starts it: npm, its shell and the demo are one process group. */
function start(temporary: string): Demo {
  let text = '';
  const child = spawn('npm', ['run', '--silent', 'demo'], {
    cwd: repository,
    env: { ...process.env, TMPDIR: temporary },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const ended = once(child, 'close').then(([code, signal]) =>
    signal === null ? Number(code) : signal === 'SIGINT' ? 130 : 137,
  );
  return { child, ended, text: () => text };
}

async function said(demo: Demo, line: RegExp): Promise<void> {
  for (const end = Date.now() + 180_000; Date.now() < end; await sleep(50)) if (line.test(demo.text())) return;
  throw new Error(`The demo never said ${line}: ${demo.text().slice(-2_000)}`);
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined) process.kill(-pid, signal);
}

async function checkGone(
  report: Report,
  when: string,
  { ports, temporary }: { ports: readonly number[]; temporary: string },
): Promise<void> {
  let left = await ownProcesses();
  for (const end = Date.now() + endMaxMs; left.length > 0 && Date.now() < end; left = await ownProcesses())
    await sleep(100);
  report.check(`no process is left ${when}`, left.length === 0, left.join('; '));
  const open = (await Promise.all(ports.map(async (port) => ((await answers(port)) ? [port] : [])))).flat();
  report.check(`none of its ${ports.length} ports is open ${when}`, open.length === 0, open.join(', '));
  const folders = await readdir(temporary);
  report.check(`no temporary folder is left ${when}`, folders.length === 0, folders.join(', '));
}

/** Processes that have the demo's folder on their command line, and demos of this repository: another clone's is not ours. */
async function ownProcesses(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => ''); // Gone meanwhile, or another user's.
      const isDemo = line.includes('dist/cli/bin.js demo') && cwd === repository;
      return line.includes(state) || isDemo ? [`${pid} ${line.slice(0, 120)}`] : [];
    }),
  );
  return lines.flat();
}

/** Ports of the platform, as its own file has them. */
async function openPorts(): Promise<readonly number[]> {
  const text = await readFile(join(state, 'ports.json'), 'utf8').catch(() => '{}');
  return Object.values(JSON.parse(text) as Record<string, number>);
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
