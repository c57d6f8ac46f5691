import { aRevision } from '../workload/revision.rig.ts';
import { openMemoryMigrations } from './memory.ts';
import { describeMigrations } from './migration.contract.ts';
import { contentOf } from './migration.ts';

describeMigrations('memory', async () => {
  const migrations = openMemoryMigrations(({ command }) => (command[0] === 'failing' ? 'no such table' : undefined));
  return {
    migrations,
    make: (behaviour, release) => ({ image: 'i', command: [behaviour], release, revision: aRevision(), lane: 'green' }),
    runs: async (migration) => migrations.runs.filter((run) => contentOf(run) === contentOf(migration)).length,
    async [Symbol.asyncDispose]() {},
  };
});
