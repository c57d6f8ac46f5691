import type { Written } from './client.ts';
import type { Kind } from './kinds.ts';
import { type Reply, refused, statusOf } from './refused.ts';

export function toWritten<T>(doing: string, reply: Reply): Written<T> {
  if (reply.status === 200 || reply.status === 201) return { kind: 'written', object: JSON.parse(reply.text) };
  if (isMissing(reply)) return { kind: 'missing' };
  if (reply.status === 409 || isUnfit(reply)) return { kind: 'conflict', why: statusOf(reply).message };
  throw refused(doing, reply);
}

/** The object is not there. A path that the server does not know, such as a kind without its definition, is 404 without this reason. */
export function isMissing(reply: Reply): boolean {
  return reply.status === 404 && statusOf(reply).reason === 'NotFound';
}

/** A JSON Patch that does not fit the object, as when a `test` does not hold. It is 422, as is an object that breaks a rule, but names no cause. */
function isUnfit(reply: Reply): boolean {
  return reply.status === 422 && statusOf(reply).reason === 'Invalid' && statusOf(reply).causes === 0;
}

/** As people write it: `configmap demo/headgate-ratings`. */
export function named({ kind, namespaced }: Kind, namespace: string, name: string): string {
  return `${kind.toLowerCase()} ${namespaced ? `${namespace}/` : ''}${name}`;
}
