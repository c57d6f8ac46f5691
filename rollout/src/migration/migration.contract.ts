import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Migration, MigrationSeen, Migrations } from './migration.ts';

export type MigrationsRig = AsyncDisposable & {
  readonly migrations: Migrations;
  /** `failing`: says "no such table" and ends with an error. */
  make(behaviour: 'sound' | 'failing', release: number): Migration;
  /** How often it was started. */
  runs(migration: Migration): Promise<number>;
};

export function describeMigrations(name: string, open: () => Promise<MigrationsRig>): void {
  describe(`${name} as Migrations`, () => {
    let rig: MigrationsRig;
    let signal: AbortSignal;

    beforeAll(async () => {
      rig = await open();
      signal = AbortSignal.timeout(120_000);
    });

    afterAll(async () => {
      await rig?.[Symbol.asyncDispose]();
    });

    const ended = async (migration: Migration): Promise<MigrationSeen> => {
      for (;;) {
        await rig.migrations.run(migration, signal);
        const seen = await rig.migrations.observe(migration, signal);
        if (seen.kind === 'done' || seen.kind === 'failed') return seen;
        await sleep(50, undefined, { signal });
      }
    };

    test('one that never ran is absent', async () => {
      expect(await rig.migrations.observe(rig.make('sound', 1), signal)).toEqual({ kind: 'absent' });
    });

    test('run() starts it, and what is done for one release is done for all', async () => {
      expect(await ended(rig.make('sound', 1))).toEqual({ kind: 'done' });

      await rig.migrations.run(rig.make('sound', 1), signal);
      await rig.migrations.run(rig.make('sound', 2), signal);

      expect(await rig.migrations.observe(rig.make('sound', 2), signal)).toEqual({ kind: 'done' });
      expect(await rig.runs(rig.make('sound', 2))).toBe(1);
    });

    test('one that failed is told with its last words, and is not run again for the same release', async () => {
      const seen = await ended(rig.make('failing', 3));

      await rig.migrations.run(rig.make('failing', 3), signal);

      expect(seen).toMatchObject({ kind: 'failed', text: expect.stringContaining('no such table') });
      expect(await rig.migrations.observe(rig.make('failing', 3), signal)).toEqual(seen);
      expect(await rig.runs(rig.make('failing', 3))).toBe(1);
    });

    test('one that failed for an earlier release runs for the next', async () => {
      expect(await rig.migrations.observe(rig.make('failing', 4), signal)).toMatchObject({ kind: 'absent' });

      expect(await ended(rig.make('failing', 4))).toMatchObject({ kind: 'failed' });
    });
  });
}
