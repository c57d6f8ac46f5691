import { isMissing, named, toWritten } from './answers.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { type Kind, pathOf } from './kinds.ts';
import { type Reply, refused } from './refused.ts';
import type { Call, Transport } from './transport.ts';

type Writing = Pick<KubeClient, 'create' | 'replace' | 'patch' | 'merge' | 'apply' | 'remove' | 'post'>;

/** So that managedFields name us, and a foreign writer is told from us. */
const manager = 'fieldManager=headgate';
const json = 'application/json';

export function writingOf(transport: Transport, namespace: string): Writing {
  const write = (
    method: Call['method'],
    path: string,
    doing: string,
    [type, body]: readonly [string, unknown],
    signal: AbortSignal,
  ): Promise<Reply> => transport.send({ method, path, doing, body: { type, text: JSON.stringify(body) } }, signal);

  async function change<T>(kind: Kind, name: string, type: string, body: unknown, signal: AbortSignal) {
    const doing = `patch ${named(kind, namespace, name)}`;
    const path = `${pathOf(kind, namespace, name)}?${manager}`;
    return toWritten<T>(doing, await write('PATCH', path, doing, [type, body], signal));
  }

  return {
    async create(kind, object, signal) {
      const doing = `create ${named(kind, namespace, object.metadata.name)}`;
      const path = `${pathOf(kind, namespace)}?${manager}`;
      const reply = await write('POST', path, doing, [json, typed(kind, object)], signal);
      if (isMissing(reply)) throw refused(doing, reply); // The namespace, as there is no object yet.
      return toWritten(doing, reply);
    },
    async replace(kind, object, signal) {
      const { name } = object.metadata;
      const doing = `replace ${named(kind, namespace, name)}`;
      const path = `${pathOf(kind, namespace, name)}?${manager}`;
      return toWritten(doing, await write('PUT', path, doing, [json, typed(kind, object)], signal));
    },
    patch: (kind, name, steps, signal) => change(kind, name, 'application/json-patch+json', steps, signal),
    merge: (kind, name, part, signal) => change(kind, name, 'application/merge-patch+json', part, signal),
    async apply(kind, object, signal) {
      const { name } = object.metadata;
      const doing = `apply ${named(kind, namespace, name)}`;
      const path = `${pathOf(kind, namespace, name)}?${manager}&force=true`;
      const reply = await write('PATCH', path, doing, ['application/apply-patch+yaml', typed(kind, object)], signal);
      if (reply.status !== 200 && reply.status !== 201) throw refused(doing, reply);
      return JSON.parse(reply.text);
    },
    post: (path, signal) => transport.send({ method: 'POST', path, doing: `post ${path}`, accept: '*/*' }, signal),
    async remove(kind, name, signal, uid) {
      const doing = `delete ${named(kind, namespace, name)}`;
      const options = { propagationPolicy: 'Background', ...(uid !== undefined && { preconditions: { uid } }) };
      const reply = await write('DELETE', pathOf(kind, namespace, name), doing, [json, options], signal);
      // 409: the one of this uid is gone, and another one has its name.
      if (reply.status >= 300 && reply.status !== 409 && !isMissing(reply)) throw refused(doing, reply);
    },
  };
}

function typed<T extends KubeObject>({ apiVersion, kind }: Kind, object: T): T {
  return { ...object, apiVersion, kind };
}
