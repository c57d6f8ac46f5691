/** The supervisor's process. Started detached by `ensureSupervisor()`. */
import { parseArgs } from 'node:util';
import { isAlive, markOf } from '../../../journal/process-mark.ts';
import { placesOf } from './folder.ts';
import { runSupervisor } from './run.ts';

/** Everything is ended long before; if not, this process goes and takes its children along. */
const stopMaxMs = 40_000;
const askParentEveryMs = 500;

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: '' },
    folder: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
    'no-postgres': { type: 'boolean', default: false },
    'end-with': { type: 'string' },
  },
});

const stop = new AbortController();
const end = () => {
  stop.abort();
  setTimeout(() => process.exit(1), stopMaxMs).unref();
};
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, end);
if (values['end-with'] !== undefined) await endWith(Number(values['end-with']));

await runSupervisor(
  {
    app: values.app,
    places: placesOf(values.folder),
    port: Number(values.port),
    postgres: !values['no-postgres'],
  },
  stop.signal,
);

/** A parent that was killed -9 can tell nobody: its process is looked at. */
async function endWith(pid: number): Promise<void> {
  const mark = await markOf(pid);
  const look = async () => {
    if (mark === undefined || !(await isAlive(mark))) end();
  };
  await look();
  setInterval(() => void look(), askParentEveryMs).unref();
}
