import { randomUUID } from 'node:crypto';
import type { Emit, Occurrence } from '../../engine/occurrence.ts';
import { phaseText } from '../../report/status.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { kinds } from './kinds.ts';

type Event = KubeObject & Readonly<Record<string, unknown>>;

const writeMaxMs = 5_000;
/** The API server refuses longer ones. */
const noteMaxChars = 1_000;

/**
 * Tells `kubectl describe` and `kubectl get events` of every decision, on the head of the app's journal. Aid, not record: an event that
 * cannot be written is told to `failed` and missed by nobody who reads the journal.
 */
export function eventsOf(client: KubeClient, app: string, failed: (error: unknown) => void): Emit {
  const name = `headgate-${app}`;
  let sent: Promise<unknown> = Promise.resolve();
  return (occurrence) => {
    const told = wordsOf(occurrence);
    if (told === undefined) return;
    // One after the other, so that they are listed in the order in which things happened.
    sent = sent
      .then(async () => {
        const signal = AbortSignal.timeout(writeMaxMs);
        const head = await client.get(kinds.ConfigMap, name, signal);
        if (head === undefined) return;
        await client.create<Event>(kinds.Event, eventOn(head, told), signal);
      })
      .catch(failed);
  };
}

type Told = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string };

function wordsOf(occurrence: Occurrence): Told | undefined {
  switch (occurrence.kind) {
    case 'decided': {
      const { release, decision, at } = occurrence;
      const { kind } = decision.state.phase;
      const back = kind === 'rollingBack' || kind === 'returning' || kind === 'rolledBack';
      const where = phaseText({ ...release, state: decision.state }, at).replace(/ for 0 s$/, '');
      return {
        type: back ? 'Warning' : 'Normal',
        reason: kind.charAt(0).toUpperCase() + kind.slice(1),
        note: `release ${release.id} ${where}: ${decision.why}`,
      };
    }
    case 'commandFailed':
      return { type: 'Warning', reason: 'CommandFailed', note: `${occurrence.command}: ${occurrence.message}` };
    case 'unseen':
    case 'looked':
      return undefined;
  }
}

function eventOn({ metadata }: KubeObject, { type, reason, note }: Told): Event {
  const now = new Date().toISOString().replace('Z', '000Z');
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
    firstTimestamp: now.replace(/\.\d+Z$/, 'Z'),
    lastTimestamp: now.replace(/\.\d+Z$/, 'Z'),
    count: 1,
    action: reason,
    reportingComponent: 'headgate.dev/controller',
    reportingInstance: 'headgate',
  };
}
