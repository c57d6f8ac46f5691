import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { bin } from './commands.ts';

export type Ran = {
  /** 128 for a process that was killed. */
  readonly code: number;
  readonly ms: number;
  readonly all: string;
  /** Lines of it that are JSON. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
};

export type Where = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Kills it with SIGKILL. */
  readonly killed?: AbortSignal;
};

/** `headgate <args>` in a process of its own. */
export async function headgate({ cwd, env = {}, killed }: Where, ...args: readonly string[]): Promise<Ran> {
  const begun = performance.now();
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...process.env, ...env }, stdio });
  killed?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const lines = out.split('\n').filter((line) => line.startsWith('{'));
  return {
    code: child.exitCode ?? 128,
    ms: Math.round(performance.now() - begun),
    all: out + err,
    events: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** Steps that did something: an effect that acted, or a pure step that was not taken from the cache. */
export function acted({ events }: Ran): string {
  return events
    .filter(({ kind, acted: did }) => kind === 'step.done' && did === true)
    .map(({ step }) => String(step))
    .join(' ');
}

export function failures({ events }: Ran): string {
  return events.flatMap(({ kind, failure }) => (kind === 'step.fail' ? [JSON.stringify(failure)] : [])).join(', ');
}

export async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=kim', '-c', 'user.email=kim@desk.example', '-c', 'commit.gpgsign=false'];
  const { stdout } = await promisify(execFile)('git', ['-C', folder, ...identity, ...args]);
  return stdout.trim();
}
