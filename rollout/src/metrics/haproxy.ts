/**
 * Counts of the local data plane: the BACKEND rows of each lane in HAProxy's `show stat`.
 *
 * How HAProxy counts (seen on 2.6, each kind of failure tried):
 * - A request is counted when it is over: in `req_tot`, and in one of `hrsp_*` by the status that the client got. The 502, 503 and 504
 *   that HAProxy answers for a server that refuses, breaks off, talks nonsense or stays silent are among the `hrsp_5xx`; `econ` and
 *   `eresp` count these again, and each retry, so they are left out.
 * - An answer that the server cuts short keeps its 2xx and is one `srv_abrt`: failed.
 * - A client that leaves before its answer is noted as 400: refused. A version that keeps clients waiting shows there, and both lanes
 *   are measured alike. How long it had waited, only the lane's proxies know.
 * - A client that leaves in the middle of its upload has no status (`hrsp_other`): nobody's request.
 * - A server that breaks off on a later request of a kept connection is counted nowhere. The configuration sees to it that every
 *   request of a lane is the first of its connection.
 */
import type { Lane } from '../lane.ts';
import { askHaproxy, unreachable } from '../traffic/haproxy-runtime.ts';
import { pinnedBackend } from '../traffic/pin-key.ts';
import type { LaneTotals, Metrics, Totals } from './metrics.ts';

const code = 'METRICS_UNREACHABLE';

/** `socket`: path of the runtime socket. The epoch is HAProxy's process, as its counters end with it. */
export function openHaproxyMetrics({ socket }: { readonly socket: string }): Metrics {
  return {
    async observe(signal) {
      const answer = await askHaproxy(socket, 'show info; show stat -1 2 -1', { code, signal });
      const rows = backendRows(answer);
      const totals = (backend: string): Totals => {
        const row = rows.get(backend);
        if (row === undefined) throw unreachable(socket, code, `no whole row of backend ${backend}`);
        return totalsOf(row);
      };
      const lane = (name: Lane): LaneTotals => ({
        weighted: totals(`lane-${name}`),
        pinned: totals(pinnedBackend(name)),
      });
      return { epoch: epochOf(answer), lanes: { blue: lane('blue'), green: lane('green') } };
    },
  };
}

type Row = (column: string) => number;

function totalsOf(row: Row): Totals {
  const requests = row('req_tot') - row('hrsp_other');
  // An error page that is cut short is both, and no request fails twice.
  const failed = Math.min(requests, row('hrsp_5xx') + row('srv_abrt'));
  return { requests, failed, refused: row('hrsp_4xx') };
}

/** Rows that came whole, by backend. Columns have names. */
function backendRows(answer: string): ReadonlyMap<string, Row> {
  const lines = answer.split('\n').map((line) => line.split(','));
  const names = lines.find(([first]) => first === '# pxname') ?? [];
  const rows = lines.filter((cells) => cells[1] === 'BACKEND' && cells.length === names.length);
  return new Map(rows.map((cells) => [cells[0] ?? '', (column) => Number(cells[names.indexOf(column)])]));
}

/** Process id and start, which no other HAProxy shares. */
function epochOf(answer: string): string {
  const field = (name: string): string => new RegExp(`^${name}: (\\d+)$`, 'm').exec(answer)?.[1] ?? '';
  return `${field('Pid')}@${field('Start_time_sec')}`;
}
