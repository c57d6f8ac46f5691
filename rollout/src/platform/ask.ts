import { type IncomingMessage, request } from 'node:http';
import { withDeadline } from '../deadline.ts';
import type { ProbeAnswer } from '../workload/workload.ts';

/** HTTP timeout of the proxies, and a second: an answer that goes through the queue may take that long. */
export const answerMaxMs = 6_000;

/** One GET on a connection of its own. Resolves when the whole answer was read, so that nobody counts it as a client that left. */
export function ask(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ProbeAnswer> {
  const within = withDeadline(signal, answerMaxMs);
  return new Promise((resolve) => {
    const sent = request(url, { headers, signal: within, agent: false }, (response) => resolve(answerIn(response)));
    sent.on('error', (error) => resolve({ kind: 'unanswered', why: error.message }));
    sent.end();
  });
}

/** Reads a response to its end. */
export function answerIn(response: IncomingMessage): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    response.on('error', (error) => resolve({ kind: 'unanswered', why: error.message }));
    response.on('end', () =>
      resolve({
        kind: 'answered',
        status: response.statusCode ?? 0,
        lane: textOf(response.headers['headgate-lane']),
        revision: textOf(response.headers['headgate-revision']),
      }),
    );
    response.resume();
  });
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
