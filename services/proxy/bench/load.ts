import { connect, type Socket } from 'node:net';

export type LoadResult = {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly latencyMsP99: number;
};

type Client = { readonly socket: Socket; text: string; sentAt: number };

/** Closed loop over kept connections: each sends its next request when its answer is there. */
export async function load(port: number, request: string, { connections = 64, seconds = 4 } = {}): Promise<LoadResult> {
  const latencies: number[] = [];
  let failed = 0;
  let running = true;
  const clients = Array.from(
    { length: connections },
    (): Client => ({ socket: connect(port, '127.0.0.1'), text: '', sentAt: 0 }),
  );
  const send = (client: Client) => {
    client.sentAt = performance.now();
    client.socket.write(request);
  };
  const done = clients.map(
    (client) =>
      new Promise<void>((resolve) => {
        client.socket
          .setNoDelay(true)
          .on('error', () => {})
          .on('close', resolve);
        client.socket.once('connect', () => send(client));
        client.socket.on('data', (chunk) => {
          client.text += chunk.toString('latin1');
          if (!isWhole(client.text)) return;
          latencies.push(performance.now() - client.sentAt);
          if (!client.text.startsWith('HTTP/1.1 2')) failed++;
          client.text = '';
          if (running) send(client);
          else client.socket.end();
        });
      }),
  );
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const took = (performance.now() - start) / 1_000;
  const requests = latencies.length;
  running = false;
  await Promise.all(done);
  latencies.sort((a, b) => a - b);
  return { requests, failed, seconds: took, latencyMsP99: latencies[Math.floor(latencies.length * 0.99)] ?? 0 };
}

function isWhole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  if (head === -1) return false;
  const length = /content-length: (\d+)/i.exec(text.slice(0, head))?.[1];
  if (length === undefined) return text.endsWith('0\r\n\r\n');
  return text.length >= head + 4 + Number(length);
}
