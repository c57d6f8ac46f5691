import { withDeadline } from '../../deadline.ts';
import type { KubeClient, KubeObject, Listed } from './client.ts';

/** An API server that lists something answers sooner; counts are wanted about once a second. After a time without an answer it is waited for less. */
const listMaxMs = 300;
const listAgainMaxMs = 100;

/**
 * A client that lists what it listed last while the API server does not answer. For counts: where replicas and pods are changes seldom,
 * and they tell their counts themselves, so nobody is blind for want of a list.
 */
export function remembering(client: KubeClient): KubeClient {
  const known = new Map<string, Listed<KubeObject>>();
  let isAway = false;
  const over = (here: KubeClient): KubeClient => ({
    ...here,
    in: (namespace) => over(here.in(namespace)),
    async list<T extends KubeObject>(...[kind, selection, signal]: Parameters<KubeClient['list']>): Promise<Listed<T>> {
      const key = JSON.stringify([here.namespace, kind, selection]);
      const before = known.get(key);
      try {
        const within = before === undefined ? signal : withDeadline(signal, isAway ? listAgainMaxMs : listMaxMs);
        const listed = await here.list<T>(kind, selection, within);
        isAway = false;
        known.set(key, listed);
        return listed;
      } catch (error) {
        signal.throwIfAborted();
        isAway = true;
        if (before === undefined) throw error;
        return before as Listed<T>; // Of the same kind: the key says so.
      }
    },
  });
  return over(client);
}
