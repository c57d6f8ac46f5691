import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import type { ReleaseSpec } from '../spec.ts';
import { readHead } from './book.ts';

const image = `registry.example/migrate@sha256:${'a'.repeat(64)}`;
const migrating = (...command: string[]): ReleaseSpec => ({ ...quick, migrate: { image, command } });
const signal = () => AbortSignal.timeout(1_000);

test('a release runs its migration before its candidate starts, once for each content', async () => {
  await using world = aPlatform();
  const seen: unknown[] = [];
  const ports: typeof world.ports = {
    ...world.ports,
    migrations: {
      ...world.migrations,
      async run(migration, within) {
        seen.push((await world.workload.observe(migration.lane, within)).revision);
        return world.migrations.run(migration, within);
      },
    },
  };

  await startRelease(handsOn(ports, { spec: migrating('up', '1') }), aRequest('v1'));
  await startRelease(handsOn(ports, { spec: migrating('up', '2') }), aRequest('v2'));
  await startRelease(handsOn(ports, { spec: migrating('up', '2') }), aRequest('v3'));

  const { history } = await readHead(ports.journal, 'test', signal());
  expect(history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'promoted']);
  expect(world.migrations.runs.map(({ release, command, lane }) => [release, command[1], lane])).toEqual([
    [1, '1', 'blue'],
    [2, '2', 'green'],
  ]);
  expect(seen).toEqual([undefined, undefined]);
}, 30_000);

test('a release whose migration fails is rolled back with the reason; its candidate never starts and live is left alone', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const before = await world.workload.observe('blue', signal());
  world.unmigrated.add('no such table');
  const done: string[] = [];
  const ports: typeof world.ports = {
    ...world.ports,
    workload: {
      ...world.workload,
      async setRevision(lane, revision, within) {
        done.push(`setRevision ${lane}`);
        return world.workload.setRevision(lane, revision, within);
      },
      async scale(lane, replicas, within) {
        done.push(...Object.entries(replicas).map(([service, n]) => `scale ${lane} ${service} ${n}`));
        return world.workload.scale(lane, replicas, within);
      },
    },
  };

  await startRelease(handsOn(ports, { spec: migrating('no such table') }), aRequest('v2'));

  const { history, live } = await readHead(ports.journal, 'test', signal());
  expect(history.at(-1)).toMatchObject({ outcome: 'rolledBack', text: 'the migration failed: no such table' });
  expect(live).toBe('blue');
  expect([...new Set(done)].sort()).toEqual(['scale green proxy 0', 'scale green rating 0']);
  expect(await world.workload.observe('blue', signal())).toEqual(before);
  expect(await world.traffic.observe(signal())).toMatchObject({ weights: { blue: 100, green: 0 } });

  world.unmigrated.clear();
  await startRelease(handsOn(ports, { spec: migrating('no such table') }), aRequest('v3'));

  expect((await readHead(ports.journal, 'test', signal())).history.at(-1)).toMatchObject({ outcome: 'promoted' });
}, 30_000);
