import { contentOf, type Migration, type MigrationSeen, type Migrations } from './migration.ts';

/** Nothing is run: it is done at once, or has failed at once, for each release anew. */
export function openMemoryMigrations(failing: (migration: Migration) => string | undefined = () => undefined) {
  const done = new Set<string>();
  const failed = new Map<string, string>();
  const runs: Migration[] = [];
  const of = (migration: Migration) => `${contentOf(migration)} ${migration.release}`;
  const seen = (migration: Migration): MigrationSeen => {
    if (done.has(contentOf(migration))) return { kind: 'done' };
    const text = failed.get(of(migration));
    return text === undefined ? { kind: 'absent' } : { kind: 'failed', text };
  };
  const migrations: Migrations = {
    async run(migration, signal) {
      signal.throwIfAborted();
      if (seen(migration).kind !== 'absent') return;
      runs.push(migration);
      const text = failing(migration);
      if (text === undefined) done.add(contentOf(migration));
      else failed.set(of(migration), text);
    },
    async observe(migration, signal) {
      signal.throwIfAborted();
      return seen(migration);
    },
  };
  return { ...migrations, runs };
}
