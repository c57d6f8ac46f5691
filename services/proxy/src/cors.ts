import type { IncomingMessage } from 'node:http';
import type { Answer } from './answer.ts';

const MAX_AGE_S = '600';

/** What a browser of this origin must read on the answer; nothing for other origins, and nothing if none is configured. */
export function corsHeaders(origin: string | undefined, allowed: readonly string[]): readonly string[] {
  if (allowed.length === 0) return [];
  if (allowed.includes('*')) return ['Access-Control-Allow-Origin', '*'];
  const vary = ['Vary', 'Origin'];
  return origin !== undefined && allowed.includes(origin) ? ['Access-Control-Allow-Origin', origin, ...vary] : vary;
}

/** A browser asks before it calls; workers never see this question. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

export function preflightAnswer({ headers }: IncomingMessage): Answer {
  const asked = headers['access-control-request-headers'];
  return {
    status: 204,
    headers: [
      ...['Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE, HEAD'],
      ...(asked === undefined ? [] : ['Access-Control-Allow-Headers', asked]),
      ...['Access-Control-Max-Age', MAX_AGE_S],
    ],
    body: new Uint8Array(0),
  };
}
