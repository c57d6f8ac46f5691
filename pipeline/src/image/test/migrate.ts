/** The app's migration, in the database of the test: what is released meets its tables as this leaves them, and so does live. */
import { join } from 'node:path';
import { type MigrateSpec, migrationMaxMs, runsAs, withDeadline } from '@headgate/rollout';
import { pullImage } from '@headgate/rollout/local';
import type { Ground } from './ground.ts';
import { environmentIn, startInstance, untilReady } from './instance.ts';
import { startSandboxed } from './sandbox.ts';

export type Migrating = {
  /** By service, as `ImageTestRequest` has it. */
  readonly live: Readonly<Record<string, string>> | undefined;
  readonly imageFolder: string;
};

const lane = 'green';
const readyMaxMs = 10_000;
const graceMs = 5_000;

/** Before any version starts. @returns why it failed, with its last words; `undefined`: it is done, or the app has none */
export async function lackOfMigration(
  ground: Ground,
  migrating: Migrating,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { migrate } = ground.app;
  if (migrate === undefined) return undefined;
  const failure = await run(migrate, ground, migrating, signal);
  if (failure === undefined || migrating.live === undefined) return failure;
  // Where live makes tables by itself they are there in a release, and here once it has started.
  return (await startsOnce(ground, migrating, signal)) ? run(migrate, ground, migrating, signal) : failure;
}

async function run(
  spec: MigrateSpec,
  ground: Ground,
  { imageFolder }: Migrating,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { config, ...image } = await pullImage(spec.image, imageFolder, signal);
  const [service] = runsAs(ground.app);
  const env = await environmentIn(ground, { service, lane }, { host: '127.0.0.1', port: 0, adminPort: 0 });
  const migration = { ...image, config: { ...config, entrypoint: spec.command } };
  await using running = await startSandboxed(migration, { env, logFile: join(ground.folder, 'migration.log') });
  const late = withDeadline(signal, migrationMaxMs);
  const stop = () => void running.stop(graceMs);
  late.addEventListener('abort', stop, { once: true });
  const { code, signal: killed } = await running.ended;
  late.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code === 0) return undefined;
  const end = late.aborted
    ? `it was not done within ${migrationMaxMs / 60_000} minutes`
    : `it ended with ${code ?? killed}`;
  return `${end}: ${running.lastLines().join(' | ')}`;
}

/** Whether all of live was ready. */
async function startsOnce(ground: Ground, { live = {}, imageFolder }: Migrating, signal: AbortSignal) {
  for (const [service, reference] of Object.entries(live).filter(([name]) => name in ground.app.services)) {
    const image = await pullImage(reference, imageFolder, signal);
    await using instance = await startInstance(ground, { service, lane, image });
    const within = withDeadline(signal, readyMaxMs);
    const isReady = await untilReady(instance, within).then(
      () => true,
      () => false, // It needs tables of its own migration, and the failure that is told is that of the new one.
    );
    signal.throwIfAborted();
    if (!isReady) return false;
  }
  return true;
}
