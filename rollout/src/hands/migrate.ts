import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { type Migration, migrationMaxMs } from '../migration/migration.ts';
import { type Hands, pollMs } from './hands.ts';

const callMaxMs = 10_000;
/** It has failed by itself before: this is for one that nobody can see ending. */
const waitMaxMs = migrationMaxMs + 60_000;

/** For what it is run. */
type For = Pick<Migration, 'lane' | 'revision' | 'release'>;

/** Runs the app's migration, unless its content was run before, and waits for it. @returns why it is not done; `undefined`: it is, or there is none */
export async function lackOfMigration(
  { ports, spec, say, signal }: Hands,
  { on, lost }: { on: For; lost: AbortSignal },
): Promise<string | undefined> {
  const { migrate } = spec.release;
  if (migrate === undefined) return undefined;
  const migration = { ...migrate, ...on };
  const begun = performance.now();
  let told: string | undefined;
  while (!signal.aborted) {
    const within = withDeadline(lost, callMaxMs);
    await ports.migrations.run(migration, within);
    const seen = await ports.migrations.observe(migration, within);
    if (seen.kind === 'done') return undefined;
    if (seen.kind === 'failed') return `the migration failed: ${seen.text}`;
    const words = seen.kind === 'running' && seen.text !== undefined ? ` (${seen.text})` : '';
    if (words !== told) say(`the migration runs${words}`);
    told = words;
    if (performance.now() - begun > waitMaxMs) return `the migration did not end${words}`;
    await sleep(pollMs, undefined, { signal: lost });
  }
  return 'interrupted while the migration ran';
}

/** Says that it would be run, if so. */
export async function sayMigration({ ports, spec, say, signal }: Hands, on: For): Promise<void> {
  const { migrate } = spec.release;
  if (migrate === undefined) return;
  const { kind } = await ports.migrations.observe({ ...migrate, ...on }, withDeadline(signal, callMaxMs));
  if (kind !== 'done') say(`the migration would run first: ${migrate.command.join(' ')}`);
}
