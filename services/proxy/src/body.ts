import type { IncomingMessage, ServerResponse } from 'node:http';
import { tooLarge } from './message.ts';
import { type Refusal, refusal } from './refusal.ts';

export type Received =
  | { readonly kind: 'body'; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'gone' }
  | Refusal;

/** Room for all request bodies together, or a few hundred large ones would take the process's whole memory. */
export class BodyRoom {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#free += bytes;
  }
}

export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

export type BodyLimits = { readonly maxBytes: number; readonly room: BodyRoom };

/** Reads the body up to `maxBytes` and stops there, however long it would go on. Its room comes back after the answer. */
export function receiveBody(
  request: IncomingMessage,
  response: ServerResponse,
  { maxBytes, room }: BodyLimits,
): Promise<Received> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) return Promise.resolve(tooLarge(announced, maxBytes));
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const settle = (received: Received) => {
      request.off('data', take).off('end', end).off('close', gone);
      resolve(received);
    };
    const take = (chunk: Uint8Array) => {
      if (bytes + chunk.length > maxBytes) return settle(tooLarge(bytes + chunk.length, maxBytes));
      if (!room.take(chunk.length)) return settle(noRoom);
      bytes += chunk.length;
      chunks.push(chunk);
    };
    const end = () => settle({ kind: 'body', bytes: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks) });
    const gone = () => settle({ kind: 'gone' });
    request.on('data', take).on('end', end).on('close', gone).on('error', gone);
    response.once('close', () => room.giveBack(bytes));
  });
}

const noRoom = refusal('OVERLOADED', 'Cannot take the body as too many bodies are in memory: try again in a second');
