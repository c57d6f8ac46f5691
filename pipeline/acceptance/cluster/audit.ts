import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One request as the API server's audit log has it. */
export type Audited = {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly sourceIPs: readonly string[];
};

/** What a ServiceAccount (`namespace:name`) asked between two moments (ms since the epoch), watches that went on from before left out. */
export async function requestsOf(account: string, from: number, to: number): Promise<readonly Audited[]> {
  return (await between(from, to)).filter(({ user }) => user.username === `system:serviceaccount:${account}`);
}

/** Which processes of a namespace's accounts wrote what only a driver may write: all but wishes, the lock and Events. */
export async function driversOf(namespace: string, from: number, to: number): Promise<readonly string[]> {
  const wrote = (await between(from, to)).filter(
    ({ verb, requestURI, user }) =>
      ['create', 'update', 'patch', 'delete'].includes(verb) &&
      user.username.startsWith(`system:serviceaccount:${namespace}:`) &&
      !/-wishes|\/leases|\/events/.test(requestURI),
  );
  return [...new Set(wrote.map(({ user, sourceIPs }) => `${user.username.split(':').at(-1)} at ${sourceIPs.join()}`))];
}

async function between(from: number, to: number): Promise<readonly Audited[]> {
  const run = process.env['HEADGATE_KUBE_RUN'] ?? '/run/headgate-kube';
  const lines = (await readFile(join(run, 'logs/audit.log'), 'utf8')).trimEnd().split('\n');
  return lines
    .filter((line) => line.includes('"username":"system:serviceaccount:'))
    .map((line) => JSON.parse(line) as Audited & { readonly stage: string })
    .filter(({ stage, requestReceivedTimestamp }) => {
      const at = Date.parse(requestReceivedTimestamp);
      return stage !== 'ResponseStarted' && at >= from && at < to;
    });
}
