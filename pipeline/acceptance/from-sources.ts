import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { bin } from './commands.ts';

export type Ran = {
  /** 128 for a process that was killed. */
  readonly code: number;
  readonly ms: number;
  readonly all: string;
  /** Lines of it that are JSON. */
  readonly events: readonly Event[];
};

export type Where = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sends it SIGINT, as a CI host does first when a run is cancelled. */
  readonly interrupted?: AbortSignal;
  /** Kills it with SIGKILL. */
  readonly killed?: AbortSignal;
  /** Kills it with SIGKILL at the first event of which this is true. */
  readonly killedAt?: (event: Event) => boolean;
};

export type Event = Readonly<Record<string, unknown>>;

/** `headgate <args>` in a process of its own. */
export async function headgate(where: Where, ...args: readonly string[]): Promise<Ran> {
  const { cwd, env = {}, interrupted, killed, killedAt = () => false } = where;
  const begun = performance.now();
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...process.env, ...env }, stdio });
  interrupted?.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
  killed?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
  const lines: string[] = [];
  const events: Event[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (!line.startsWith('{')) return;
    const event = JSON.parse(line) as Event;
    events.push(event);
    if (killedAt(event)) child.kill('SIGKILL');
  });
  const [err] = await Promise.all([text(child.stderr), once(reader, 'close'), once(child, 'close')]);
  const ms = Math.round(performance.now() - begun);
  return { code: child.exitCode ?? 128, ms, all: `${lines.join('\n')}\n${err}`, events };
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
