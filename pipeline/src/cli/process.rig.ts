/** Headgate as a CI host starts it: a process of its own, in a small app whose `check` is whatever a test writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { git } from '../host/git.rig.ts';

export const bin = join(import.meta.dirname, '../../dist/cli/bin.js');

const files = {
  'headgate.yaml': `app: ratings
services:
  proxy: { source: services/proxy, port: 8080 }
`,
  'package.json': '{ "name": "app", "private": true, "scripts": { "check": "exec ./services/check" } }\n',
  'package-lock.json': '{}\n',
  'setup.js': '',
  'services/proxy/package.json': '{ "name": "proxy", "version": "1.0.0", "type": "module" }\n',
  'services/proxy/src/main.ts': 'setInterval(() => {}, 1_000);\n',
  '.gitignore': 'out/\n.headgate\n',
};

export interface AppFolder extends AsyncDisposable {
  readonly root: string;
  /** Outside of the app, kept while it lives. Commands of pure steps know it as `HOME`. */
  readonly home: string;
  start(words: readonly string[], env?: Readonly<Record<string, string>>): Running;
}

export type Running = {
  readonly child: ChildProcess;
  /** Both streams, as they come. */
  readonly text: () => string;
  /** Exit code, or the signal that ended it, and how long it lived. */
  readonly ended: Promise<{ readonly code: number | NodeJS.Signals; readonly ms: number }>;
};

/** `check`: an executable script, which `headgate run check` runs. */
export async function anApp(check: string): Promise<AppFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-app-'));
  const [root, home] = [join(folder, 'app'), join(folder, 'home')];
  await mkdir(home, { recursive: true });
  for (const [name, text] of Object.entries({ ...files, 'services/check': check })) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text, { mode: name === 'services/check' ? 0o755 : 0o644 });
  }
  await git(root, 'init', '--quiet', '--initial-branch=main');
  await git(root, 'add', '--all');
  await git(root, 'commit', '--quiet', '--message', 'app');
  return {
    root,
    home,
    start: (words, env = {}) => start(words, root, { PATH: process.env['PATH'] ?? '', HOME: home, ...env }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** As the workflow's own line does: a shell that becomes Headgate. */
function start(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Running {
  const begun = performance.now();
  let text = '';
  const line = ['-e', '-c', 'exec "$@"', 'bash', process.execPath, bin, ...words];
  const child = spawn('bash', line, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  // `exit`, not `close`: a process that was left behind would hold the streams open.
  const ended = once(child, 'exit').then(([code, signal]) => ({ code: code ?? signal, ms: performance.now() - begun }));
  return { child, text: () => text, ended };
}
