import { createServer } from 'node:net';
import { HeadgateError } from '../../../errors.ts';

/** Below the range from which Linux takes ports for outgoing connections, or one of those could be there first. */
const lowest = 20_000;
const highest = 32_000;
const triesMax = 1_000;

/** Ports for lane processes: none is given twice before all others had their turn. */
export class PortPool {
  #next = lowest + Math.floor(Math.random() * (highest - lowest));

  /** @throws {HeadgateError} `WORKLOAD_UNREACHABLE` if a thousand in a row are taken */
  async take(): Promise<number> {
    for (let tries = 0; tries < triesMax; tries++) {
      const port = this.#next;
      this.#next = port >= highest ? lowest : port + 1;
      if (await isFree(port)) return port;
    }
    throw new HeadgateError(
      'WORKLOAD_UNREACHABLE',
      `Cannot give a lane process a port as ${triesMax} in a row are taken`,
      {
        hint: 'end what listens between 20000 and 32000 on this machine',
      },
    );
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
