/** The pattern to compare with: one subscription for each request, everything parsed and printed again. No logging. */
import { createServer } from 'node:http';
import { connect, createInbox, headers, JSONCodec } from 'nats';

const connection = await connect({ servers: process.env['NATS_URL'] ?? '' });
const json = JSONCodec<unknown>();
const prefix = process.env['SUBJECT_PREFIX'];

const server = createServer(async (request, response) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://proxy');
  const originReplyTo = createInbox();
  const answer = new Promise<{ body: unknown; statusCode: number }>((resolve) => {
    connection.subscribe(originReplyTo, {
      max: 1,
      callback: (_error, message) => resolve(json.decode(message.data) as { body: unknown; statusCode: number }),
    });
  });
  const marks = headers();
  marks.set('Nats-Msg-Id', crypto.randomUUID());
  const path = pathname.split('/').slice(1).map(decodeURIComponent).join('.');
  connection.publish(
    `${prefix}.${request.method?.toLowerCase()}.${path}`,
    json.encode({
      body: text === '' ? {} : JSON.parse(text),
      headers: request.headers,
      originReplyTo,
      queryParameters: Object.fromEntries(searchParams),
    }),
    { reply: originReplyTo, headers: marks },
  );
  const { body, statusCode } = await answer;
  response.writeHead(statusCode, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
