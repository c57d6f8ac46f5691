import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

export type Got = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

export type Ask = {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
};

/** One request; a connection of its own unless an agent is given. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body, agent, signal }: Ask = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers,
      agent: agent ?? false,
      ...(signal && { signal }),
    };
    const outgoing = request(options, (response) => {
      let text = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk;
        })
        .on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
        .on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Sends bytes as they are and returns all that comes until the other side closes. `more` is sent for ever after. */
export async function raw(port: number, bytes: string, { more }: { more?: string } = {}): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let text = '';
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {}); // A reset ends it too; what came before it counts.
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(bytes);
  const pump = () => {
    while (more !== undefined && !socket.destroyed && socket.write(more)) {}
  };
  socket.on('drain', pump);
  if (more !== undefined) pump();
  await closed;
  return text;
}

/** The value of a metric, by its name and labels as they are written; 0 if it is not there. */
export async function metric(adminPort: number, name: string): Promise<number> {
  const { text } = await ask(adminPort, '/metrics');
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}
