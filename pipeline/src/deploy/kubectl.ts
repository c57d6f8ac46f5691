/** kubectl on the cluster that Headgate means, for objects of any kind: what its manifests hold is the user's business. */
import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { duration, HeadgateError, withDeadline } from '@headgate/rollout';
import { clusterEnvironment } from '../run/environment.ts';

export type Asking = {
  /** What kubectl reads. */
  readonly input?: string;
  /** Default one minute. */
  readonly maxMs?: number;
  /** Exit codes that are no failure (default 0). */
  readonly answers?: readonly number[];
  /** Hears each line while it comes. */
  readonly say?: (line: string) => void;
};

/** What it prints. @throws {HeadgateError} `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED` with its own words */
export type Kubectl = (args: readonly string[], asking?: Asking) => Promise<string>;

export type Place = {
  /** Of what names none; what names another one is refused. */
  readonly namespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
};

const askMaxMs = 60_000;
const answerMaxBytes = 16 * 1024 * 1024;

export function openKubectl({ namespace, env }: Place, signal: AbortSignal): Kubectl {
  const own = env['HEADGATE_KUBECONFIG'];
  const options = { env: { ...clusterEnvironment(env), ...(own && { KUBECONFIG: own }) }, maxBuffer: answerMaxBytes };
  return async (args, { input = '', maxMs = askMaxMs, answers = [0], say } = {}) => {
    const within = withDeadline(signal, maxMs);
    const all = ['--namespace', namespace, ...args];
    const running = promisify(execFile)('kubectl', all, { ...options, signal: within });
    const { stdin, stdout } = running.child;
    stdin?.on('error', () => {}); // One that ends before it has read all says why by its exit.
    stdin?.end(input);
    if (say !== undefined && stdout !== null) createInterface({ input: stdout }).on('line', say);
    try {
      return (await running).stdout;
    } catch (cause) {
      signal.throwIfAborted();
      const { code, stdout: said, stderr } = cause as { code?: unknown; stdout: string; stderr: string }; // Of execFile.
      if (typeof code === 'number' && answers.includes(code)) return said;
      throw refusal(args, within.aborted ? `nothing for ${duration(maxMs)}` : stderr || String(cause), {
        isSilent: within.aborted || silence.test(stderr),
        cause,
      });
    }
  };
}

const silence = /unable to connect|connection to the server|dial tcp|i\/o timeout|handshake timeout/i;

function refusal(
  [verb = '', ...args]: readonly string[],
  said: string,
  { isSilent, cause }: { readonly isSilent: boolean; readonly cause: unknown },
): HeadgateError {
  return new HeadgateError(
    isSilent ? 'CLUSTER_UNREACHABLE' : 'CLUSTER_REFUSED',
    `Cannot go on as \`kubectl ${verb}\` says: ${said.trim().replace(/^error: /, '')}`,
    { hint: `mend that, then run the same command again; kubectl was given ${args.join(' ')}`, cause },
  );
}
