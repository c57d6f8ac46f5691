import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One request as the API server's audit log has it. */
export type Audited = {
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
};

/** What a ServiceAccount asked between two moments (ms since the epoch), watches that went on from before left out. */
export async function requestsOf(account: string, from: number, to: number): Promise<readonly Audited[]> {
  const run = process.env['HEADGATE_KUBE_RUN'] ?? '/run/headgate-kube';
  const lines = (await readFile(join(run, 'logs/audit.log'), 'utf8')).trimEnd().split('\n');
  return lines
    .filter((line) => line.includes(`"username":"system:serviceaccount:${account}"`))
    .map((line) => JSON.parse(line) as Audited & { readonly stage: string })
    .filter(({ stage, requestReceivedTimestamp }) => {
      const at = Date.parse(requestReceivedTimestamp);
      return stage !== 'ResponseStarted' && at >= from && at < to;
    });
}
