import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from './lane.rig.ts';
import { freePort, tied } from './servers.rig.ts';

export type Line = { readonly event: string; readonly message?: string; readonly error?: string };

/** The entry point as a process of its own. */
export interface Worker extends AsyncDisposable {
  readonly lines: readonly Line[];
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Status and text of `/readyz` and its like. */
  admin(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Value of a metric, by its name and labels as they are written; 0 if it is not there. */
  metric(name: string): Promise<number>;
  untilReady(): Promise<void>;
}

export async function startWorker(env: Readonly<Record<string, string>>): Promise<Worker> {
  const port = Number(env['ADMIN_PORT'] ?? (await freePort()));
  const program = ['--import', 'tsx', join(import.meta.dirname, 'main.ts')];
  const child: ChildProcess = spawn(...tied(process.execPath, program), {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ADMIN_PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: Line[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map((line) => JSON.parse(line) as Line));
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const admin = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return {
    lines,
    exited,
    admin,
    kill: (signal) => void child.kill(signal),
    async metric(name) {
      const { text } = await admin('/metrics');
      const line = text.split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    untilReady: () =>
      until('the worker is ready', () =>
        admin('/readyz').then(
          ({ status }) => status === 200,
          () => false, // It does not listen yet.
        ),
      ),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
