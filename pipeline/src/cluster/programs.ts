import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { HeadgateError, withDeadline } from '@headgate/rollout';
import { onPath } from '@headgate/rollout/servers';
import type { Environment } from '../run/environment.ts';

export type Line = readonly [program: string, ...args: string[]];

/** k3d, kind and docker, as they are called. */
export type Programs = {
  readonly env: Environment;
  /** True: nothing is done. */
  readonly isPlan: boolean;
  /** What one prints, also with `isPlan`. @throws {HeadgateError} `TOOL_MISSING`, `STEP_FAILED` */
  readonly ask: (line: Line, input?: string) => Promise<string>;
  /** Runs it, or notes that it would. */
  readonly act: (line: Line, input?: string) => Promise<void>;
};

const programMaxMs = 10 * 60_000;

type Means = { readonly env: Environment; readonly signal: AbortSignal };

/** @throws {HeadgateError} `TOOL_MISSING`, `STEP_FAILED` */
export async function runProgram([program, ...args]: Line, input: string, { env, signal }: Means): Promise<string> {
  if (onPath(program, env) === undefined) throw missing(program);
  const child = spawn(program, args, { env, stdio: 'pipe', signal: withDeadline(signal, programMaxMs) });
  child.stdin.on('error', () => {}); // One that ends before it has read all says why by its exit.
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code === 0) return out;
  throw new HeadgateError('STEP_FAILED', `Cannot go on as \`${[program, ...args].join(' ')}\` says: ${err.trim()}`, {
    hint: 'mend that, then run the same command again',
  });
}

const cures: Readonly<Record<string, string>> = {
  kubectl: 'install it (https://kubernetes.io/docs/tasks/tools)',
  docker: 'install it (https://docs.docker.com/engine/install)',
};

export function missing(program: string): HeadgateError {
  return new HeadgateError('TOOL_MISSING', `Cannot look after a cluster as ${program} must be on the PATH`, {
    hint:
      cures[program] ??
      'install k3d (https://k3d.io) or kind (https://kind.sigs.k8s.io), which make a cluster in docker, or set KUBECONFIG to one that answers',
  });
}
