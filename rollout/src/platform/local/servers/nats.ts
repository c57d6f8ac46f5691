import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findNatsServer } from './find.ts';

/** A server of our own on this machine. Disposal ends it and removes what it wrote. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Starts nats-server with JetStream on loopback. `port` 0 (the default) takes a free one; `folder` is kept when it is given. */
export async function startNats({
  port = 0,
  folder,
  args = [],
}: {
  port?: number;
  folder?: string;
  args?: readonly string[];
} = {}): Promise<RunningServer> {
  const binary = await findNatsServer();
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'headgate-nats-')));
  const child = spawn(
    binary,
    [
      '-a',
      '127.0.0.1',
      '-p',
      String(port === 0 ? -1 : port),
      '-js',
      '-sd',
      join(own, 'jetstream'),
      '--ports_file_dir',
      own,
      '-l',
      join(own, 'nats.log'),
      ...args,
    ],
    { stdio: 'ignore' },
  );
  const url = await readUrl(child, own);
  return {
    url,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      await end(child);
      if (folder === undefined) await rm(own, { recursive: true, force: true });
    },
  };
}

async function readUrl(child: ChildProcess, folder: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const name = (await readdir(folder)).find((entry) => entry.endsWith(`_${child.pid}.ports`));
    if (name !== undefined) {
      const text = await readFile(join(folder, name), 'utf8');
      if (text.trimEnd().endsWith('}')) return (JSON.parse(text) as { nats: string[] }).nats[0] ?? '';
    }
    if (child.exitCode !== null) break;
    await sleep(25);
  }
  await end(child);
  throw new Error(`Cannot start nats-server as it gave no port within 5 s: see ${join(folder, 'nats.log')}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const gone = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(timer);
}
