import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSupervisorClient, type SupervisorClient } from './client.ts';
import type { ReadyInfo } from './ensure.ts';
import { resolveFake } from './fake-service.rig.ts';
import { placesOf } from './folder.ts';
import { runSupervisor } from './run.ts';

export type SupervisorRig = AsyncDisposable & {
  readonly folder: string;
  readonly client: SupervisorClient;
  readonly info: ReadyInfo;
};

/** A supervisor inside the test's own process, with fake images, whose root is this machine's unless another is named, and without Postgres. */
export async function superviseHere(root?: string): Promise<SupervisorRig> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-supervisor-'));
  const places = placesOf(folder);
  const stop = new AbortController();
  const options = {
    app: 'ratings',
    places,
    port: 0,
    postgres: false,
    resolveImage: (name: string) => resolveFake(name, root),
  };
  const running = runSupervisor(options, stop.signal);
  const client = openSupervisorClient(places.socket);
  const info = await Promise.race([untilReady(client), running.then(() => Promise.reject(new Error('it ended')))]);
  return {
    folder,
    client,
    info,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await rm(folder, { recursive: true });
    },
  };
}

async function untilReady(client: SupervisorClient): Promise<ReadyInfo> {
  return until(
    () => client.info(AbortSignal.timeout(1_000)).catch(() => undefined),
    (info): info is ReadyInfo => info?.kind === 'ready',
  );
}

/** Asks until the answer fits, at most 15 s. */
export async function until<T, S extends T>(ask: () => Promise<T>, fits: (answer: T) => answer is S): Promise<S>;
export async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T>;
export async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`it never came to that: ${JSON.stringify(answer)}`);
    await sleep(20);
  }
}
