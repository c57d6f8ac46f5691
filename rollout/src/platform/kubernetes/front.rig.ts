/** A way to the API server that one process goes alone: what it asks is seen, and it can be killed at any request. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { Access } from './access.ts';
import { testCluster } from './cluster.rig.ts';
import { findAccess } from './find-access.ts';
import { openOwnServer } from './own-server.rig.ts';

export type Asked = { readonly method: string; readonly path: string; readonly body: string };

/** Whoever asked is to die `before` the API server hears of it, or `after` it has done it and before its answer comes. */
export type Fate = 'lives' | 'before' | 'after';

type Walker = {
  /** ServiceAccount (`namespace:name`) whose rights it has. */
  readonly account: string;
  /** What the audit log calls it. */
  readonly agent: string;
  /** Called with each request; what it answers comes true. */
  readonly fate: (asked: Asked) => Fate;
  /** Resolves when the process is dead. */
  readonly kill: () => Promise<void>;
};

export async function openFront(walker: Walker): Promise<AsyncDisposable & { readonly kubeconfig: string }> {
  const access = await findAccess({ kubeconfig: testCluster().kubeconfig }, process.env)();
  const { ca, cert, key, servername, rejectUnauthorized } = access.tls;
  const agent = new Agent({ keepAlive: true, ca, cert, key, servername, rejectUnauthorized });
  const server = createServer((incoming, outgoing) => {
    pass({ access, agent, walker }, incoming, outgoing).catch(() => outgoing.destroy()); // The asker hears that it broke.
  });
  const { kubeconfig, ...own } = await openOwnServer(server);
  return {
    kubeconfig,
    async [Symbol.asyncDispose]() {
      await own[Symbol.asyncDispose]();
      agent.destroy();
    },
  };
}

type Way = { readonly access: Access; readonly agent: Agent; readonly walker: Walker };

async function pass(
  { access, agent, walker }: Way,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = 'GET', url: path = '/' } = incoming;
  const body = await buffer(incoming);
  const fate = walker.fate({ method, path, body: body.toString() });
  if (fate === 'before') return walker.kill();
  const { host: _, ...headers } = incoming.headers;
  const far = request(new URL(path, access.server), {
    method,
    agent,
    headers: {
      ...headers,
      ...access.headers,
      'user-agent': walker.agent,
      'impersonate-user': `system:serviceaccount:${walker.account}`,
    },
  });
  outgoing.on('close', () => far.destroy()); // As watches end.
  far.on('error', () => outgoing.destroy());
  far.end(body);
  const [answer] = (await once(far, 'response')) as [IncomingMessage];
  if (fate === 'after') {
    await buffer(answer);
    return walker.kill();
  }
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(outgoing);
}
