import type { SupervisorClient } from '../platform/local/supervisor/client.ts';
import { saidAsWorkload } from '../workload/said.ts';
import type { Migrations } from './migration.ts';

/** A process of this machine, in its image's own root: all work is the supervisor's. */
export function openLocalMigrations(client: SupervisorClient): Migrations {
  return {
    run: (migration, signal) => saidAsWorkload(signal, () => client.migrate(migration, signal)),
    observe: (migration, signal) => saidAsWorkload(signal, () => client.migration(migration, signal)),
  };
}
