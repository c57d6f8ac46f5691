/** Weights and pins of the local data plane, through HAProxy's runtime socket. Its configuration: platform/local/haproxy.ts. */
import { HeadgateError } from '../errors.ts';
import { type Lane, lanes, type PerLane, type Pin, percent } from '../lane.ts';
import { askHaproxy, unreachable } from './haproxy-runtime.ts';
import { parsePinLine, pinLine } from './pin-key.ts';
import type { TrafficRouter, TrafficSeen } from './traffic.ts';
import { checkSplit } from './weights.ts';

export type HaproxyTarget = {
  /** Path of the runtime socket, level admin. */
  readonly socket: string;
  /** Name of the run-time map of pins, a path in HAProxy's configuration. */
  readonly pinMap: string;
};

/** HAProxy forgets weights and pins when it ends; it begins anew with 0 and 0 and no pin. */
export function openHaproxyTraffic({ socket, pinMap }: HaproxyTarget): TrafficRouter {
  const ask = (command: string, signal: AbortSignal) =>
    askHaproxy(socket, command, { code: 'TRAFFIC_UNREACHABLE', signal });

  /** A change that HAProxy has taken has no answer, or the one of `taken`. */
  async function tell(command: string, signal: AbortSignal, taken = /^$/): Promise<string> {
    const answer = await ask(command, signal);
    if (!taken.test(answer)) throw refused(command, answer);
    return answer;
  }

  return {
    async setWeights(weights, signal) {
      checkSplit(weights);
      // The larger share first: were both 0 in between, a request would find nobody.
      const order = lanes.toSorted((a, b) => weights[b] - weights[a]);
      await tell(order.map((lane) => `set server split/${lane} weight ${weights[lane]}`).join('; '), signal);
      return { kind: 'done' };
    },

    async setPins(pins, signal) {
      // A new version of the map is filled aside and takes over whole: no request sees a half-written set.
      const prepared = await tell(`prepare map ${pinMap}`, signal, /^New version created: \d+$/);
      const version = `@${prepared.slice(prepared.lastIndexOf(' ') + 1)}`;
      for (const pin of pins) await tell(`add map ${version} ${pinMap} <<\n${pinLine(pin)}\n`, signal);
      await tell(`commit map ${version} ${pinMap}`, signal);
      return { kind: 'done' };
    },

    async observe(signal) {
      // Servers last: where they are whole, the pins before them are.
      const answer = await ask(`show map ${pinMap}; show servers state split`, signal);
      const rows = serverRows(answer);
      if (lanes.some((lane) => rows[lane] === undefined)) throw unreachable(socket, 'TRAFFIC_UNREACHABLE', answer);
      return agree(rows, pinsOf(answer));
    },
  };
}

type ServerRow = { readonly weight: number; readonly running: boolean };

/** `undefined` in a place of `pins`: a line that is none of ours. */
function agree(rows: PerLane<ServerRow | undefined>, pins: readonly (Pin | undefined)[]): TrafficSeen {
  const { blue, green } = rows;
  if (!blue?.running || !green?.running) return { kind: 'pending', why: 'a lane of "split" is switched off' };
  const total = blue.weight + green.weight;
  if (total !== 100 && total !== 0) {
    return { kind: 'pending', why: `weights are in motion: blue ${blue.weight}, green ${green.weight}` };
  }
  const ours = pins.filter((pin) => pin !== undefined);
  if (ours.length < pins.length) return { kind: 'pending', why: 'the map of pins holds a line of somebody else' };
  return { kind: 'agreed', weights: { blue: percent(blue.weight), green: percent(green.weight) }, pins: ours };
}

/** Lines of `show map`: an address, the key, the value. */
function pinsOf(answer: string): readonly (Pin | undefined)[] {
  const lines = answer.split('\n').filter((line) => /^0x[0-9a-f]+ /.test(line));
  return lines.map((line) => parsePinLine(line.slice(line.indexOf(' ') + 1)));
}

/** Lines of `show servers state`, whose columns have names. */
function serverRows(answer: string): PerLane<ServerRow | undefined> {
  const lines = answer.split('\n').map((line) => line.split(' '));
  const names = lines.find(([first]) => first === '#')?.slice(1) ?? [];
  const row = (lane: Lane): ServerRow | undefined => {
    const cells = lines.find(
      (line) => line[names.indexOf('be_name')] === 'split' && line[names.indexOf('srv_name')] === lane,
    );
    if (cells === undefined || cells.length < names.length) return undefined;
    const cell = (name: string): number => Number(cells[names.indexOf(name)]);
    return { weight: cell('srv_uweight'), running: cell('srv_op_state') === 2 && cell('srv_admin_state') === 0 };
  };
  return { blue: row('blue'), green: row('green') };
}

function refused(command: string, answer: string): HeadgateError {
  return new HeadgateError(
    'TRAFFIC_WRITE_REFUSED',
    `Cannot tell HAProxy ${JSON.stringify(command)} as it must take it: current value is ${JSON.stringify(answer.slice(0, 200))}`,
    { hint: 'HAProxy 2.6 or newer with the configuration of the local platform is needed' },
  );
}
