import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServer } from './find.ts';
import { type RunningServer, running, tied } from './process.ts';

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
  const found = await findServer('nats-server');
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'headgate-nats-')));
  await mkdir(own, { recursive: true });
  // A dead one's port would be read if its process number came again.
  for (const name of await readdir(own)) if (name.endsWith('.ports')) await rm(join(own, name));
  const place = ['-a', '127.0.0.1', '-p', String(port === 0 ? -1 : port), '-js', '-sd', join(own, 'jetstream')];
  const notes = ['--ports_file_dir', own, '-l', join(own, 'nats.log'), '--log_size_limit', String(4 << 20)];
  const child = spawn(...tied(found.path, [...place, ...notes, ...args]), { stdio: ['ignore', 'ignore', 'pipe'] });
  let url = '';
  const server = await running(child, {
    name: 'nats-server',
    found,
    url,
    ready: async () => {
      url = await readUrl(own, child.pid);
      return url !== '';
    },
    cleanUp: async () => {
      if (folder === undefined) await rm(own, { recursive: true, force: true });
    },
  });
  return { ...server, url };
}

/** The port is in a file that the server writes when it listens; empty while it is not whole. */
async function readUrl(folder: string, pid: number | undefined): Promise<string> {
  const name = (await readdir(folder)).find((entry) => entry.endsWith(`_${pid}.ports`));
  if (name === undefined) return '';
  const text = await readFile(join(folder, name), 'utf8');
  return text.trimEnd().endsWith('}') ? ((JSON.parse(text) as { nats: string[] }).nats[0] ?? '') : '';
}
