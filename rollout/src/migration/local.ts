import { HeadgateError } from '../errors.ts';
import type { SupervisorClient } from '../platform/local/supervisor/client.ts';
import type { Migrations } from './migration.ts';

/** A process of this machine, in its image's own root: all work is the supervisor's. */
export function openLocalMigrations(client: SupervisorClient): Migrations {
  return {
    run: (migration, signal) => said(client.migrate(migration, signal)),
    observe: (migration, signal) => said(client.migration(migration, signal)),
  };
}

async function said<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    if (!(cause instanceof HeadgateError)) throw cause;
    throw new HeadgateError('WORKLOAD_UNREACHABLE', cause.message, { hint: cause.hint, cause });
  }
}
