import { isMissing, named } from './answers.ts';
import type { KubeClient, KubeObject, Listed, Metadata, Selection } from './client.ts';
import { type Kind, pathOf } from './kinds.ts';
import { refused } from './refused.ts';
import type { Transport } from './transport.ts';
import { watchObjects } from './watch.ts';

type Reading = Pick<KubeClient, 'get' | 'list' | 'listMetadata' | 'watch' | 'text' | 'stream'>;

const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

export function readingOf(transport: Transport, namespace: string): Reading {
  async function list<T extends KubeObject>(
    kind: Kind,
    selection: Selection,
    signal: AbortSignal,
    accept = 'application/json',
  ): Promise<Listed<T>> {
    const doing = `list ${kind.plural} in ${namespace}`;
    const path = `${pathOf(kind, namespace)}?${query(selection)}`;
    const reply = await transport.send({ method: 'GET', path, doing, accept }, signal);
    if (reply.status !== 200) throw refused(doing, reply);
    const { items, metadata } = JSON.parse(reply.text) as { items: readonly T[] | null; metadata: Metadata };
    return { items: items ?? [], resourceVersion: metadata.resourceVersion ?? '' };
  }

  return {
    async get(kind, name, signal) {
      const doing = `read ${named(kind, namespace, name)}`;
      const reply = await transport.send({ method: 'GET', path: pathOf(kind, namespace, name), doing }, signal);
      if (isMissing(reply)) return undefined;
      if (reply.status !== 200) throw refused(doing, reply);
      return JSON.parse(reply.text);
    },
    list,
    listMetadata: (kind, selection, signal) => list(kind, selection, signal, metadataOnly),
    watch: (kind, selection, signal) => {
      const doing = `watch ${kind.plural} in ${namespace}`;
      const path = `${pathOf(kind, namespace)}?${query(selection)}&watch=true&allowWatchBookmarks=true`;
      return watchObjects(
        {
          doing,
          list: () => list(kind, selection, signal),
          open: (version) =>
            transport.open({ method: 'GET', path: `${path}&resourceVersion=${version}`, doing }, signal),
        },
        signal,
      );
    },
    text: (path, signal) => transport.send({ method: 'GET', path, doing: `get ${path}`, accept: '*/*' }, signal),
    stream: (path, signal, headers = {}) =>
      transport.open({ method: 'GET', path, doing: `get ${path}`, accept: '*/*', headers }, signal),
  };
}

function query({ name, labels }: Selection): string {
  const parts = new URLSearchParams();
  if (name !== undefined) parts.set('fieldSelector', `metadata.name=${name}`);
  if (labels !== undefined) parts.set('labelSelector', labels);
  return parts.toString();
}
