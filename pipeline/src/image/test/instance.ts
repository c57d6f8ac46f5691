import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { environmentOf, firstOf, invariant, type Lane, makeRevision } from '@headgate/rollout';
import type { PulledImage } from '@headgate/rollout/local';
import { freePort } from '@headgate/rollout/servers';
import type { Ground } from './ground.ts';
import { type Sandboxed, startSandboxed } from './sandbox.ts';

/** A running instance of a service, in a lane of the test's own servers. */
export type Instance = Sandboxed & {
  /** Where a proxy takes requests, path prefix included. */
  readonly http: string;
  readonly admin: string;
};

const pollMs = 25;

/** `variables`: `env` of the service's template; what the app has unless given. */
type Seated = {
  readonly service: string;
  readonly lane: Lane;
  readonly variables?: Readonly<Record<string, string>> | undefined;
};

/** Starts the image as a lane of the local platform would, with the same environment. */
export async function startInstance(
  ground: Ground,
  { image, ...seated }: Seated & { readonly image: PulledImage },
): Promise<Instance> {
  const { service, variables = ground.app.services[service]?.env } = seated;
  const ports = { host: '127.0.0.1', port: await freePort(), adminPort: await freePort() };
  const env = await environmentIn(ground, seated, ports);
  const logFile = join(ground.folder, `${service}-${ports.adminPort}.log`);
  return {
    ...(await startSandboxed(image, { env, logFile })),
    http: `http://127.0.0.1:${ports.port}${variables?.['PATH_PREFIX'] ?? ''}`,
    admin: `http://127.0.0.1:${ports.adminPort}`,
  };
}

/** What a process of the service is told there. Its database is the test's own whatever headgate.yaml names: nothing is tried, or migrated, on real data. */
export async function environmentIn(
  ground: Ground,
  { service, lane, variables }: Seated,
  ports: { host: string; port: number; adminPort: number },
): Promise<Readonly<Record<string, string>>> {
  const { app, services, migrate } = ground.app;
  const known = services[service];
  invariant(known !== undefined, `a service without a template is tested: ${service}`);
  const template = { ...known, env: variables ?? known.env };
  const revision = makeRevision({ digests: {}, repositories: {}, template: { services }, commit: undefined });
  const database = template.pulls.length > 0 || migrate !== undefined ? await ground.databaseUrl() : undefined;
  const seat = { app, existing: undefined, lane, service, revision, template };
  return {
    ...environmentOf(seat, { nats: ground.natsUrl, database }, ports),
    ...(database !== undefined && { DATABASE_URL: database }),
  };
}

/** Resolves when `/readyz` says 200. Rejects as `whileRunning`. */
export function untilReady(instance: Instance, signal: AbortSignal): Promise<void> {
  return whileRunning(instance, signal, (within) => untilTrue(() => isOk(`${instance.admin}/readyz`, within), within));
}

/** @throws {Error} with the last lines if the process ends before `work`, which is then aborted */
export async function whileRunning<T>(
  instance: Instance,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const ended = instance.ended.then(({ code, signal: killed }) => {
    throw new Error(`it ended with ${code ?? killed}: ${instance.lastLines().join(' | ')}`);
  });
  try {
    return await Promise.race([ended, work(firstOf([signal, stop.signal]))]);
  } finally {
    stop.abort();
  }
}

/** Asks until the answer is yes. Rejects at the abort. */
export async function untilTrue(ask: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await ask())) await sleep(pollMs, undefined, { signal });
}

export async function isOk(url: string, signal: AbortSignal): Promise<boolean> {
  return fetch(url, { signal }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}
