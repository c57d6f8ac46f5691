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
  /** Pulls from its own lane alone, as a worker that knows of no source list. */
  async function pull(nats: typeof import('nats')): Promise<void> {
    open++;
    const connection = await nats.connect({ servers: env['NATS_URL']! });
    const [stream, consumer] = [env['SERVICE_STREAM_NAME']!, env['SERVICE_CONSUMER_NAME']!];
    const from = await connection.jetstream().consumers.get(stream, consumer);
    while (!stopping) {
      const message = await from.next({ expires: 1_000 });
      if (message === null) continue;
      if (acksLeft-- <= 0) continue; // Taken, and never heard of again.
      await new Promise((resolve) => setTimeout(resolve, Number(env['HANDLER_MS'])));
      const { originReplyTo } = message.json<{ originReplyTo: string }>();
      connection.publish(`effects.${env['HEADGATE_REVISION']}`, message.headers?.get('Nats-Msg-Id'));
      connection.publish(originReplyTo, JSON.stringify({ headers: {}, body: {}, statusCode: 200 }));
      await message.ackAck();
    }
    await connection.close();
    open--;
  }
  if (env['NATS_MODULE'] !== undefined) for (let i = 0; i < 4; i++) void pull(require(env['NATS_MODULE']));
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
