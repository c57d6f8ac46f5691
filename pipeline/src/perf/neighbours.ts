import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Somebody who adds up what this machine's processors do for others than this process and those that it started. */
export interface Neighbours extends AsyncDisposable {
  /** The busiest moment of theirs since the last question: part of all processors, 0 to 1. Where the system does not tell: 0. */
  busiest(): number;
}

/** As long as a moment is: a clock tick of the counts is 10 ms. */
const windowMs = 250;

/** Of a line of /proc/stat what nobody has used (`idle`, `iowait`), and what the kernel did for whoever it was (`irq`, `softirq`). */
const nobodys = [3, 4, 5, 6];

type Used = { readonly all: number; readonly machine: number; readonly own: number };

export function watchNeighbours(): Neighbours {
  const stopped = new AbortController();
  let busiest = 0;
  const watching = (async () => {
    for (let last = await used(); !stopped.signal.aborted; ) {
      await sleep(windowMs);
      const now = await used();
      const passed = now.all - last.all;
      if (passed > 0) busiest = Math.max(busiest, (now.machine - last.machine - (now.own - last.own)) / passed);
      last = now;
    }
  })();
  return {
    busiest() {
      const seen = busiest;
      busiest = 0;
      return seen;
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await watching;
    },
  };
}

/** In ticks of the clock, since they began. */
async function used(): Promise<Used> {
  const line = (await textOf('/proc/stat')).split('\n')[0] ?? '';
  const fields = line.split(/\s+/).slice(1, 9).map(Number); // The rest of the line is counted in these already.
  const all = fields.reduce((sum, ticks) => sum + ticks, 0);
  const nobody = nobodys.reduce((sum, at) => sum + (fields[at] ?? 0), 0);
  return { all, machine: all - nobody, own: await ticksOf(process.pid) };
}

/** What a process has used, with those that it started, and those that they did. In ticks, which are 10 ms. */
export async function ticksOf(pid: number): Promise<number> {
  const stat = await textOf(`/proc/${pid}/stat`);
  // Its own, and of the children that it has waited for, which are no longer there to be asked.
  const used = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  const children = (await textOf(`/proc/${pid}/task/${pid}/children`)).split(' ').filter((word) => word !== '');
  const theirs = await Promise.all(children.map((child) => ticksOf(Number(child))));
  return [...used, ...theirs].reduce((sum, ticks) => sum + ticks, 0);
}

/** Empty for a process that has ended, and where there is no such folder. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
