import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import type { KubeObject } from './client.ts';
import { type Change, watchObjects } from './watch.ts';

const tooOld = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 1 (7)' };

/** What the API server answers to a watch after each version: a status and its lines. Then the watch stays open. */
type Answers = (version: string) => { readonly status: number; readonly lines: readonly object[] };

async function openServer(answers: Answers) {
  const server = createServer(({ url = '' }, outgoing) => {
    const { status, lines } = answers(url.slice(1));
    outgoing.writeHead(status);
    for (const line of lines) outgoing.write(`${JSON.stringify(line)}\n`);
    if (status !== 200 || lines.length > 0) outgoing.end();
    else outgoing.flushHeaders();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return {
    async open(version: string): Promise<IncomingMessage> {
      const [reply] = (await once(get(`http://127.0.0.1:${port}/${version}`), 'response')) as [IncomingMessage];
      return reply;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Lists one object, named by how often it was listed, which is the version too. */
function listing() {
  let lists = 0;
  return async () => {
    lists++;
    return { items: [{ metadata: { name: `list-${lists}` } }], resourceVersion: `${lists}` };
  };
}

test.each([
  { how: 'an ERROR event', status: 200, line: { type: 'ERROR', object: tooOld } },
  { how: 'a reply of 410', status: 410, line: tooOld },
])('watchObjects() lists again after $how, ever more seldom while it comes again', async ({ status, line }) => {
  await using server = await openServer((version) =>
    version === '4' ? { status: 200, lines: [] } : { status, lines: [line] },
  );
  const over = new AbortController();
  const seen: Change<KubeObject>[] = [];
  const begun = performance.now();

  for await (const change of watchObjects({ list: listing(), open: server.open, doing: 'watch' }, over.signal)) {
    seen.push(change);
    if (seen.length === 4) over.abort();
  }

  expect(seen).toEqual([1, 2, 3, 4].map((n) => ({ kind: 'all', objects: [{ metadata: { name: `list-${n}` } }] })));
  expect(performance.now() - begun).toBeGreaterThan(200 + 400 + 800 - 50); // Timers are a little early at times.
});
