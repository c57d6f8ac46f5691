import type { Lane } from '../../../lane.ts';
import { runtimeCommand } from '../servers/runtime-socket.ts';

const commandMaxMs = 2_000;
const unitMs: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

/** Ends what users have had open at the lane's proxies for so long, to the second. HAProxy closes both ends, whatever the image does. */
export async function closeConnections(socket: string, lane: Lane, olderThanMs: number): Promise<void> {
  const tell = (command: string) => runtimeCommand(socket, command, AbortSignal.timeout(commandMaxMs));
  const ours = new Set([`lane-${lane}`, `${lane}-pinned`]);
  for (const line of (await tell('show sess')).split('\n')) {
    const [, id, backend = '', age = ''] = /^(0x[0-9a-f]+): .* be=(\S+) .* age=(\S+) /.exec(line) ?? [];
    // HAProxy tells whole seconds that have passed.
    if (ours.has(backend) && ageMs(age) + 1_000 > olderThanMs) await tell(`shutdown session ${id}`);
  }
}

/** As HAProxy writes it: `1m3s`. */
function ageMs(age: string): number {
  return [...age.matchAll(/(\d+)([dhms])/g)].reduce(
    (sum, [, n, unit = '']) => sum + Number(n) * (unitMs[unit] ?? 0),
    0,
  );
}
