import { readFile } from 'node:fs/promises';
import { superviseHere } from '../platform/local/supervisor/supervisor.rig.ts';
import { aRevision, digestOf } from '../workload/revision.rig.ts';
import { openLocalMigrations } from './local.ts';
import { describeMigrations } from './migration.contract.ts';
import { contentOf } from './migration.ts';

const programs = {
  sound: 'console.log("began", process.env.NATS_URL.slice(0, 7), process.env.SERVICE_STREAM_NAME)',
  failing: 'console.log("began"); console.error("no such table"); process.exit(4)',
};

describeMigrations('local', async () => {
  const rig = await superviseHere();
  return {
    migrations: openLocalMigrations(rig.client),
    make: (behaviour, release) => ({
      image: `localhost:1/migrate@${digestOf('sound')}`,
      command: [process.execPath, '-e', programs[behaviour]],
      release,
      revision: aRevision(),
      lane: 'green',
    }),
    async runs(migration) {
      const log = await readFile(`${rig.folder}/logs/migration-${contentOf(migration).slice(0, 10)}.log`, 'utf8');
      return log.split('\n').filter((line) => line.startsWith('began')).length;
    },
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
});
