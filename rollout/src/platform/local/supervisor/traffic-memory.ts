import { readFile } from 'node:fs/promises';
import { replaceDurably, unlessMissing } from '../../../journal/files.ts';
import { lanes, type PerLane } from '../../../lane.ts';
import { runtimeCommand } from '../servers/runtime-socket.ts';

const commandMaxMs = 2_000;

/** Weights and pins as they are in HAProxy. `pins`: lines of the pin map, key and backend. */
type TrafficState = { readonly weights: PerLane<number>; readonly pins: readonly (readonly [string, string])[] };

/**
 * HAProxy keeps weights and pins in memory only. They are noted as soon as they change, and given back to an HAProxy that began anew:
 * what was served before a crash is served after it.
 */
export class TrafficMemory {
  readonly #file: string;
  readonly #socket: string;
  readonly #pinMap: string;
  #noted = '';

  constructor({ file, socket, pinMap }: { file: string; socket: string; pinMap: string }) {
    this.#file = file;
    this.#socket = socket;
    this.#pinMap = pinMap;
  }

  async note(): Promise<void> {
    const state = JSON.stringify(await this.#read());
    if (state === this.#noted) return;
    await replaceDurably(this.#file, state);
    this.#noted = state;
  }

  /** Unless somebody has set weights already: then these are newer. */
  async giveBack(): Promise<void> {
    const text = await unlessMissing(readFile(this.#file, 'utf8'));
    const { weights } = await this.#read();
    if (text === undefined || weights.blue + weights.green > 0) return;
    const noted = JSON.parse(text) as TrafficState; // Our own file, written whole.
    for (const [key, backend] of noted.pins) await this.#tell(`add map ${this.#pinMap} ${escaped(key)} ${backend}`);
    await this.#tell(lanes.map((lane) => `set weight split/${lane} ${noted.weights[lane]}`).join('; '));
  }

  async #read(): Promise<TrafficState> {
    const [blue = 0, green = 0] = (await this.#tell('get weight split/blue; get weight split/green'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Number.parseInt(line, 10));
    const pins = (await this.#tell(`show map ${this.#pinMap}`))
      .split('\n')
      .map((line) => line.split(' '))
      .flatMap(([, key, backend]): [string, string][] => (key && backend ? [[key, backend]] : []));
    return { weights: { blue, green }, pins };
  }

  #tell(command: string): Promise<string> {
    return runtimeCommand(this.#socket, command, AbortSignal.timeout(commandMaxMs));
  }
}

/** The runtime socket takes one backslash away from every word. */
function escaped(key: string): string {
  return key.replaceAll('\\', '\\\\');
}
