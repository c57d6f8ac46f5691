import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { kubeconfigAs } from '../platform/kubernetes/cluster.rig.ts';
import { tied } from '../platform/local/servers/process.ts';

const built = join(import.meta.dirname, '../../dist');

/** Loads what a controller is made of, as it was built, and begins at the first line of its input: nobody waits for a start. */
const spareProgram = `
import { once } from 'node:events';
const [main, ...parts] = process.argv.slice(1);
await Promise.all(parts.map((part) => import(part)));
await once(process.stdin, 'data');
process.stdin.destroy();
await import(main);
`;
const parts = [
  'controller/main',
  'controller/board',
  'controller/admin',
  'notify/notifier',
  'platform/kubernetes/open',
];
const spare = ['--input-type=module', '-e', spareProgram, ...parts.map((part) => join(built, `${part}.js`))];
const fromSource = ['--import', 'tsx', '--conditions=source', join(import.meta.dirname, 'main.ts')];

/** A controller in a process of its own, which is gone when its block ends. */
export class ControllerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #over: Promise<unknown>;
  readonly #log: (Readonly<Record<string, unknown>> & { readonly event: string })[] = [];

  /** `isSpare`: it waits until it is told to `begin`. */
  constructor(env: Readonly<Record<string, string>>, { isSpare = false } = {}) {
    this.#process = spawn(...tied(process.execPath, isSpare ? spare : fromSource), {
      env: { ...process.env, ADMIN_PORT: '0', ...env },
      stdio: [isSpare ? 'pipe' : 'ignore', 'pipe', 'inherit'],
    });
    createInterface(this.#process.stdout!).on('line', (line) => this.#log.push(JSON.parse(line)));
    this.#over = once(this.#process, 'exit');
  }

  isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What it has written so far, line by line. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    return this.#log;
  }

  /** What it answers at its admin port. @throws if it does not listen */
  async ask(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const reply = await fetch(`http://127.0.0.1:${await this.#port()}${path}`, { signal: AbortSignal.timeout(5_000) });
    return { status: reply.status, text: await reply.text() };
  }

  async #port(): Promise<unknown> {
    for (;;) {
      const started = this.#log.find(({ event }) => event === 'started');
      if (started !== undefined) return started['port'];
      if (!this.isAlive()) throw new Error('the controller has ended before it listened');
      await sleep(20);
    }
  }

  begin(): void {
    this.#process.stdin?.end('begin\n');
  }

  /** As whoever moves a pod does it. */
  tell(): void {
    this.#process.kill('SIGTERM');
  }

  async hasEnded(): Promise<void> {
    await this.#over;
  }

  /** Without a chance to leave anything in order. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#over;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive()) this.#process.kill('SIGTERM');
    await this.#over;
  }
}

/** A controller that may what its role allows in this namespace, and no more. */
export async function controllerOf(
  namespace: string,
): Promise<AsyncDisposable & Pick<ControllerProcess, 'ask' | 'log'>> {
  const config = await kubeconfigAs(namespace, 'headgate-controller');
  const controller = new ControllerProcess({
    KUBECONFIG: config.path,
    HEADGATE_NAMESPACE: namespace,
    HEADGATE_POD_NETWORK: '1',
  });
  return {
    ask: (path) => controller.ask(path),
    get log() {
      return controller.log;
    },
    async [Symbol.asyncDispose]() {
      await controller[Symbol.asyncDispose]();
      await config[Symbol.asyncDispose]();
    },
  };
}
