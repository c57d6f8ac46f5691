import { HeadgateError } from '../errors.ts';
import type { SupervisorClient } from '../platform/local/supervisor/client.ts';
import { readProcessPage } from './process-page.ts';
import type { Processes, ProcessSeen, Series } from './processes.ts';

/** A page of counts is a few kB; whatever is longer is something else. */
const pageMaxBytes = 1 << 20;

/** The lane processes of this machine: the supervisor knows where they are. */
export function openLocalProcesses(client: Pick<SupervisorClient, 'processes'>, app: string): Processes {
  return {
    async observe(lane, signal) {
      const processes = await client.processes(lane, signal).catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new HeadgateError('METRICS_UNREACHABLE', `Cannot read the counts of lane ${lane} as nobody lists it`, {
          hint: 'run the command again: it starts the supervisor if none runs',
          cause,
        });
      });
      const read = async ({ id, url, ready }: (typeof processes)[number]): Promise<ProcessSeen> => ({
        id,
        ready,
        series: await readPage(url, app, signal),
      });
      return Promise.all(processes.map(read));
    },
  };
}

/** `undefined` if there is no answer; a page that is no list of counts has none. */
async function readPage(url: string, app: string, signal: AbortSignal): Promise<Series | undefined> {
  try {
    const response = await fetch(url, { signal });
    const text = await response.text();
    if (response.status >= 500 || text.length > pageMaxBytes) return undefined;
    return response.ok ? readProcessPage(text, { app, existing: undefined }) : {};
  } catch {
    return undefined; // Not there yet, gone, or too slow: the reader knows what that means.
  }
}
