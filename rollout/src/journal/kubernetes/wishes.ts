import { randomUUID } from 'node:crypto';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import type { Wish, WishBox } from '../journal.ts';
import { limits, refuseOver } from '../limits.ts';
import { type ConfigMap, labelsOf, needing, overtaken, reading, writeTriesMax, writing } from './objects.ts';

/** The one object that the releaser role may patch; it may make none, so whoever sets the app up makes it. */
export function emptyBox(app: string): ConfigMap {
  return { metadata: { name: `headgate-${app}-wishes`, labels: labelsOf(app) } };
}

export function wishesIn(client: KubeClient, app: string): WishBox {
  const { metadata } = emptyBox(app);
  const { name } = metadata;
  const what = `configmap ${client.namespace}/${name}`;
  let made = 0;

  /** Sorts by time, then by order within this process, so that reading gives the oldest first. */
  function newId(at: number): string {
    return [String(at).padStart(15, '0'), String(++made).padStart(6, '0'), randomUUID().slice(0, 8)].join('-');
  }

  /** One key of its own: nobody else's wish is read or written, and repeating it is safe. */
  async function put(id: string, text: string, signal: AbortSignal): Promise<void> {
    for (let tries = 0; tries < writeTriesMax; tries++) {
      const change = { data: { [id]: text } };
      const merged = await client
        .merge(kinds.ConfigMap, name, change, signal)
        .catch(needing(`headgate-${app}-releaser`));
      if (merged.kind === 'written') return;
      const box = { metadata, ...change };
      if ((await client.create(kinds.ConfigMap, box, signal)).kind === 'written') return;
    }
    throw overtaken(what);
  }

  return {
    async add({ act, actor, at }, signal) {
      const wishes = await this.read(signal);
      refuseOver(
        limits.wishes,
        wishes.length + 1,
        `a wish to ${what}`,
        'see with `headgate status` who drives, and why nothing is taken up',
      );
      const id = newId(at);
      await writing(what, signal, () => put(id, JSON.stringify({ act, actor, at }), signal));
      return id;
    },
    read: (signal) =>
      reading(what, signal, async () => {
        const object = await client.get<ConfigMap>(kinds.ConfigMap, name, signal);
        return Object.entries(object?.data ?? {})
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .flatMap(([id, text]) => toWish(id, text));
      }),
    remove: (ids, signal) =>
      writing(what, signal, async () => {
        if (ids.length === 0) return;
        await client.merge(kinds.ConfigMap, name, { data: Object.fromEntries(ids.map((id) => [id, null])) }, signal);
      }),
  };
}

/** None for what is no wish: a hand that wrote nonsense into the box must not keep a rollback from being heard. */
function toWish(id: string, text: string): readonly Wish[] {
  try {
    const { act, actor, at } = JSON.parse(text) as Partial<Wish>;
    return act === undefined || typeof actor !== 'string' || typeof at !== 'number' ? [] : [{ id, act, actor, at }];
  } catch {
    return [];
  }
}
