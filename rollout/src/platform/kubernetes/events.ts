import { randomUUID } from 'node:crypto';
import { type Herald, openHerald, type Told } from '../herald.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { kinds } from './kinds.ts';

type Event = KubeObject & Readonly<Record<string, unknown>>;

/** The API server refuses longer ones. */
const noteMaxChars = 1_000;

/** Tells `kubectl describe` and `kubectl get events` of every decision, on the head of the app's journal. */
export function openEvents(client: KubeClient, app: string, failed: (error: unknown) => void): Herald {
  return openHerald({
    failed,
    async write(told, signal) {
      const head = await client.get(kinds.ConfigMap, `headgate-${app}`, signal);
      if (head !== undefined) await client.create<Event>(kinds.Event, eventOn(head, told), signal);
    },
  });
}

function eventOn({ metadata }: KubeObject, { type, reason, note, at }: Told): Event {
  const now = at.toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    metadata: { name: `${metadata.name}.${randomUUID()}` },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
    },
    type,
    reason,
    message: note.slice(0, noteMaxChars),
    source: { component: 'headgate' },
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
    action: reason,
    reportingComponent: 'headgate.dev/driver',
    reportingInstance: 'headgate',
  };
}
