import { HeadgateError, isHeadgateError } from '../../errors.ts';

/** The API server's own words about a request that it did not carry out. */
export type Status = { readonly reason: string; readonly message: string; readonly causes: number };

export type Reply = { readonly status: number; readonly text: string };

export function statusOf({ status, text }: Reply): Status {
  try {
    const { reason, message, details } = JSON.parse(text) as Answer;
    return { reason: reason ?? String(status), message: message ?? text, causes: details?.causes?.length ?? 0 };
  } catch {
    // Proxies and unknown paths answer in plain text.
    return { reason: String(status), message: text.trim().slice(0, 200), causes: 0 };
  }
}

/** `Status` of the API. */
type Answer = {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly unknown[] };
};

/** The cluster has answered, and the answer is no. */
export function refused(doing: string, reply: Reply): HeadgateError {
  const { message } = statusOf(reply);
  // Too many requests and failures of the server pass by themselves: what asks again later need not tell them from silence.
  const code = reply.status === 429 || reply.status >= 500 ? 'CLUSTER_UNREACHABLE' : 'CLUSTER_REFUSED';
  return new HeadgateError(code, `Cannot ${doing} as the API server refused: ${reply.status} "${message}"`, {
    hint: hintFor(reply.status),
  });
}

/** The cluster has not answered. A write may have been carried out all the same. */
export function silent(doing: string, cause: unknown): HeadgateError {
  return new HeadgateError('CLUSTER_UNREACHABLE', `Cannot ${doing} as the API server does not answer: ${why(cause)}`, {
    hint: 'try `kubectl get --raw /readyz` with the same kubeconfig',
    cause,
  });
}

/** This user has not the right. */
export function isForbidden(error: unknown): error is HeadgateError {
  return isHeadgateError(error) && error.code === 'CLUSTER_REFUSED' && error.hint === hintFor(403);
}

function hintFor(status: number): string {
  if (status === 401) return 'get new credentials: `kubectl auth whoami` says whether they are good';
  if (status === 403)
    return 'see `kubectl auth can-i --list` for what this user may do, and check that the namespace exists: its roles go with it';
  if (status === 404)
    return 'check that the namespace exists, and that the cluster knows this kind: `kubectl api-resources`';
  return 'read the message of the API server above';
}

function why(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null) return String(cause);
  const { code, message } = cause as { code?: unknown; message?: unknown }; // Members of any object are unknown.
  return String(code ?? message);
}
