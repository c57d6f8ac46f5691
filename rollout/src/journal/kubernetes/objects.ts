import { HeadgateError } from '../../errors.ts';
import type { KubeObject } from '../../platform/kubernetes/client.ts';
import { isForbidden } from '../../platform/kubernetes/refused.ts';

export type ConfigMap = KubeObject & {
  readonly data?: Readonly<Record<string, string>>;
  /** Base64. */
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
};

/** On every object of an app's records. */
export function labelsOf(app: string): Record<string, string> {
  return { 'app.kubernetes.io/managed-by': 'headgate', 'headgate.dev/app': app };
}

/** A write that others overtake again and again gives up here. */
export const writeTriesMax = 8;

/** Gives failures of the cluster the name that the port promises; anything else passes. */
export async function reading<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  return naming('JOURNAL_UNREADABLE', `Cannot read ${what}`, signal, act);
}

/** As `reading`, for writes. */
export async function writing<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  return naming('JOURNAL_UNWRITABLE', `Cannot write ${what}`, signal, act);
}

/** For a `catch`: who has not the right is told which role has it. */
export function needing(role: string): (error: unknown) => never {
  return (error) => {
    if (!isForbidden(error)) throw error;
    const hint = `${error.hint}; role ${role} has this right, and whoever set the app up can give it`;
    throw new HeadgateError(error.code, error.message, { hint, cause: error.cause });
  };
}

export function overtaken(what: string): HeadgateError {
  return new HeadgateError(
    'JOURNAL_UNWRITABLE',
    `Cannot write ${what} as others changed it each time: current value is "${writeTriesMax} tries"`,
    { hint: 'see with `kubectl get --show-managed-fields -o yaml` who writes it' },
  );
}

export function damaged(what: string, text: string, cause?: unknown): HeadgateError {
  return new HeadgateError(
    'JOURNAL_UNREADABLE',
    `Cannot read ${what} as it must hold what Headgate wrote: current value is ${JSON.stringify(text.slice(0, 80))}`,
    { hint: 'put back a copy, or delete the object: what it knew is then lost', cause },
  );
}

type Code = 'JOURNAL_UNREADABLE' | 'JOURNAL_UNWRITABLE';

async function naming<T>(code: Code, what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await act();
  } catch (error) {
    if (!isOfCluster(error)) throw error;
    const { message, hint } = error;
    const isNamed = message.startsWith(`${what} as `);
    throw new HeadgateError(code, isNamed ? message : `${what} as the cluster must take part: ${message}`, {
      hint,
      cause: error,
    });
  }
}

function isOfCluster(error: unknown): error is HeadgateError {
  const { code } = error as { code?: unknown }; // By code: `instanceof` fails between realms.
  return code === 'CLUSTER_UNREACHABLE' || code === 'CLUSTER_REFUSED';
}
