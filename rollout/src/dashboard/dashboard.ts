import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readHead } from '../engine/book.ts';
import { readStatus } from '../engine/status.ts';
import { readStory } from '../engine/story.ts';
import { isHeadgateError } from '../errors.ts';
import type { Records } from '../journal/journal.ts';
import { listenHere } from '../listen.ts';
import { newestIn } from '../policy/newest.ts';
import { explain } from '../report/explain.ts';
import { plot } from '../report/plot.ts';
import { statusState } from '../report/state.ts';
import { statusText } from '../report/status.ts';
import type { Spec } from '../spec.ts';
import { page } from './page.ts';

export type Shown = { readonly records: Records; readonly spec: Spec };

/**
 * A page of status for browsers of this machine, from the journal alone: it changes nothing and asks no engine. `port` 0 for any that is
 * free. @throws {HeadgateError} `USAGE` if the port is taken
 */
export async function openDashboard(shown: Shown, port: number): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    answer(request, response, shown).catch(() => response.destroy()); // Whoever asked has gone.
  });
  const url = `http://127.0.0.1:${await listenHere(server, port)}/`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const readMaxMs = 10_000;

/** The page, and what it asks for. */
const views = {
  '/': async () => page,
  '/status': async ({ records, spec }: Shown, signal: AbortSignal) => {
    const facts = await readStatus(records, spec, signal);
    return { app: spec.app, state: statusState(facts), lines: statusText(facts) };
  },
  '/release': async ({ records, spec }: Shown, signal: AbortSignal) => {
    const release = newestIn(await readHead(records.journal, spec.app, signal));
    const story = release === undefined ? undefined : await readStory(records, release, signal);
    if (release === undefined || story === undefined) return {}; // Nothing was judged.
    return { release, plot: plot(story, release), lines: explain(story) };
  },
} as const satisfies Record<string, (shown: Shown, signal: AbortSignal) => Promise<string | object>>;

async function answer(request: IncomingMessage, response: ServerResponse, shown: Shown): Promise<void> {
  const { method, url = '', headers } = request;
  // Any page may have its own name lead to this address, and would then read what stands here.
  if (!/^(127\.0\.0\.1|localhost):\d+$/.test(headers.host ?? '')) return send(response, 403, 'Not by this name');
  if (method !== 'GET' || !isView(url)) return send(response, 404, `There is ${Object.keys(views).join(', ')} to GET`);
  try {
    send(response, 200, await views[url](shown, AbortSignal.timeout(readMaxMs)));
  } catch (error) {
    const { message, hint } = isHeadgateError(error) ? error : { message: String(error), hint: '' };
    send(response, 503, { message, hint });
  }
}

/** Nothing from elsewhere, and nothing that was read becomes a program. */
const policy =
  "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

function send(response: ServerResponse, status: number, body: string | object): void {
  const isPage = typeof body === 'string';
  response.writeHead(status, {
    'content-type': isPage ? 'text/html; charset=utf-8' : 'application/json',
    'content-security-policy': policy,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(isPage ? body : JSON.stringify(body));
}

function isView(path: string): path is keyof typeof views {
  return Object.hasOwn(views, path);
}
