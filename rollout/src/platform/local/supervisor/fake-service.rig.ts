import { digestOf } from '../../../workload/revision.rig.ts';
import type { PulledImage } from '../image/pull.ts';

/** Proxy and worker in one: what is set in its environment is what it does. `BEHAVIOUR` is the name of its image. */
function service(): void {
  const { createServer } = require('node:http') as typeof import('node:http');
  const env = process.env;
  const behaviour = env['BEHAVIOUR'];
  if (behaviour === 'crashing') {
    process.stdout.write('connecting\n');
    process.stderr.write('no table\n');
    setTimeout(() => process.exit(3), 50);
  }
  const sockets = new Set<import('node:stream').Duplex>();
  const admin = createServer(({ method }, response) => {
    if (method === 'POST' && behaviour !== 'deaf') for (const socket of sockets) socket.destroy();
    const status = method === 'POST' && behaviour === 'deaf' ? 404 : behaviour === 'never-ready' ? 503 : 200;
    response.writeHead(status).end();
  });
  admin.listen(Number(env['ADMIN_PORT']), env['HOST']);
  let open = 0;
  const proxy = createServer((request, response) => {
    open++;
    if (request.url === '/exit') process.exit(9);
    response.setHeader('headgate-lane', String(env['HEADGATE_LANE']));
    response.setHeader('headgate-revision', String(env['HEADGATE_REVISION']));
    setTimeout(
      () => {
        response.end(request.url === '/env' ? JSON.stringify(env) : 'hello');
        open--;
      },
      Number(new URL(request.url ?? '/', 'http://x').searchParams.get('ms') ?? 0),
    );
  });
  proxy.on('upgrade', (_request, socket) => {
    open++; // It ends when its user ends it, or POST /connections/close.
    sockets.add(socket);
    const accept = 'Sec-WebSocket-Accept: s3pPLBMiTxaQ9kYGzzhZRbK+xOo='; // Of the key in RFC 6455.
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', accept];
    socket.write(`${[...answer, `Headgate-Lane: ${env['HEADGATE_LANE']}`].join('\r\n')}\r\n\r\n`);
    socket.on('error', () => {}).on('close', () => open--);
    socket.pipe(socket);
  });
  if (env['PORT'] !== undefined) proxy.listen(Number(env['PORT']), env['HOST']);
  let stopping = false;
  let acksLeft = Number(env['ACKS_MAX'] ?? Number.POSITIVE_INFINITY);
  const appName = env['HEADGATE_APP'];
  /** The streams that it pulls from: of its own lane alone, unless it `FOLLOWS` the source list. */
  let sources = [env['SERVICE_STREAM_NAME']!];
  async function follow(connection: import('nats').NatsConnection): Promise<void> {
    const key = `$KV.headgate.sources.${appName}.${env['HEADGATE_LANE']}`;
    const take = (text: string) => {
      sources = JSON.parse(text);
    };
    connection.subscribe(key, { callback: (_error, message) => take(message.string()) });
    const now = await connection.request(`$JS.API.DIRECT.GET.KV_headgate.${key}`, '', { timeout: 20_000 });
    if (now.headers?.code !== 404) take(now.string());
  }
  async function work(nats: typeof import('nats')): Promise<void> {
    open++;
    const connection = await nats.connect({ servers: env['NATS_URL']!, timeout: 20_000, waitOnFirstConnect: true });
    if (env['FOLLOWS'] !== undefined) await follow(connection);
    const own = env['SERVICE_STREAM_NAME']!;
    const streams = env['FOLLOWS'] === undefined ? [own] : [`${appName}-blue`, `${appName}-green`];
    await Promise.all(streams.flatMap((stream) => [1, 2, 3, 4].map(() => pull(connection, stream))));
    await connection.close();
    open--;
  }
  async function pull(connection: import('nats').NatsConnection, stream: string): Promise<void> {
    const consumer = env['SERVICE_CONSUMER_NAME']!.replace(env['SERVICE_STREAM_NAME']!, stream);
    const from = await connection.jetstream({ timeout: 20_000 }).consumers.get(stream, consumer);
    while (!stopping) {
      if (!sources.includes(stream)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      const message = await from.next({ expires: 1_000 });
      if (message === null) continue;
      if (acksLeft-- <= 0) continue; // Taken, and never heard of again.
      const id = message.headers?.get('Nats-Msg-Id') ?? '';
      if (id.startsWith('poison')) {
        message.nak();
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, Number(env['HANDLER_MS'])));
      const { originReplyTo } = message.json<{ originReplyTo: string }>();
      connection.publish(`effects.${env['HEADGATE_REVISION']}`, id);
      connection.publish(originReplyTo, JSON.stringify({ headers: {}, body: {}, statusCode: 200 }));
      await message.ackAck();
    }
  }
  if (env['NATS_MODULE'] !== undefined) void work(require(env['NATS_MODULE']));
  process.on('SIGTERM', () => {
    if (behaviour === 'deaf') return;
    stopping = true;
    proxy.close();
    const look = () => (open === 0 ? process.exit(0) : setTimeout(look, 5));
    look();
  });
}

/** The fake service as a program. */
export const serviceProgram = `(${service.toString()})()`;

/** "Images" whose root is this machine's own unless another is named, read-only, with a program given on the command line. */
export async function resolveFake(reference: string, root = '/'): Promise<PulledImage> {
  const behaviours = ['sound', 'crashing', 'never-ready', 'deaf'];
  const behaviour = behaviours.find((each) => reference.endsWith(digestOf(each)));
  if (behaviour === undefined) throw new Error(`no image ${reference}`);
  return {
    root,
    config: {
      entrypoint: [process.execPath, '-e', serviceProgram],
      env: { BEHAVIOUR: behaviour },
      user: '',
      workdir: '/',
    },
  };
}
