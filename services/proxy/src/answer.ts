import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { type Refusal, type RefusalCode, refusalStatus } from './refusal.ts';

/** What is written to the client. `headers`: name, value, name, value. */
export type Answer = { readonly status: number; readonly headers: readonly string[]; readonly body: Uint8Array };

/** Our own error as an answer: `{"error":{"code","message"}}`. */
export function refusalAnswer({ code, message }: Pick<Refusal, 'code' | 'message'>): Answer {
  return {
    status: refusalStatus[code],
    headers: ['Content-Type', 'application/json', ...(moreHeaders[code] ?? [])],
    body: Buffer.from(JSON.stringify({ error: { code, message } })),
  };
}

const oneSecond = ['Retry-After', '1'] as const;

const moreHeaders: { readonly [code in RefusalCode]?: readonly string[] } = {
  METHOD_NOT_ALLOWED: ['Allow', 'GET, POST, PUT, PATCH, DELETE, HEAD'],
  NATS_UNAVAILABLE: oneSecond,
  NO_RESPONDERS: oneSecond,
  OVERLOADED: oneSecond,
};

/** How long a client that still sends gets to read its answer before the connection closes under it. */
const LINGER_MS = 500;

export type WriteOptions = {
  /** On every answer, after its own headers. */
  readonly marks: readonly string[];
  /** Tells the client to make a new connection for its next request. */
  readonly close: boolean;
  /** The request's body was not read to its end: the connection cannot be used again. */
  readonly unread: boolean;
};

export function writeAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  { marks, close, unread }: WriteOptions,
): void {
  const headers = [...answer.headers, ...marks];
  if (answer.status !== 204 && answer.status !== 304) headers.push('Content-Length', String(answer.body.length));
  if (close || unread) headers.push('Connection', 'close');
  response.writeHead(answer.status, headers);
  if (!unread) response.end(answer.body);
  else endAfterClient(request, response, answer.body);
}

/** Closing while bytes come in makes the kernel reset the connection, and the client may never see why it was refused. */
function endAfterClient(request: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
  response.write(body);
  const end = () => response.end();
  const timer = setTimeout(end, LINGER_MS);
  response.once('close', () => clearTimeout(timer));
  request.once('end', end).resume();
}

/** The same for a connection whose request could not even be parsed: there is no response object then. */
export function rawAnswer(answer: Answer, marks: readonly string[]): string {
  const headers = [...answer.headers, ...marks, 'Content-Length', String(answer.body.length), 'Connection', 'close'];
  let text = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n${Buffer.from(answer.body).toString()}`;
}
