/** Journals of runs in the registry: each is a sealed document `<repository>:<run>`, its contents are the logs of the steps. */
import type { RunEvent } from '../event.ts';
import { type Descriptor, digestOf } from '../image/layout.ts';
import { isStepId } from '../plan/graph.ts';
import { getBlob } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { contentType, type Partner, readSealed, writeSealed } from '../registry/sealed.ts';
import type { JournalCopy } from './copy.ts';
import { joined, newest } from './turns.ts';

const mediaType = 'application/vnd.headgate.journal.v1+json';
const eventsMaxBytes = 1_048_576;

type Document = {
  readonly run: string;
  readonly events: readonly RunEvent[];
  /** By step. */
  readonly logs: Readonly<Record<string, Descriptor>>;
};

export type RegistryJournalOptions = Partner & {
  /** `host:port/name`. */
  readonly repository: string;
};

export function openRegistryJournal({ repository, secret, writes, warn }: RegistryJournalOptions): JournalCopy {
  const sealing = { address: parseRepository(repository), secret, mediaType };

  async function read(run: string, signal: AbortSignal): Promise<Document | undefined> {
    const found = await readSealed(sealing, run, signal);
    if (found.kind === 'none') return undefined;
    const document = found.kind === 'whole' ? (found.document as Document) : undefined; // The seal is the proof.
    if (document?.run === run) return document;
    warn(`the journal of run ${run} in the registry is not used, as its seal is not by our key`);
    return undefined;
  }

  return {
    warn,
    async find(run, signal) {
      const document = await read(run, signal);
      if (document === undefined) return undefined;
      const logs = new Map<string, Buffer>();
      for (const [step, { digest }] of Object.entries(document.logs).filter(([id]) => isStepId(id))) {
        const log = await getBlob(sealing.address, digest, signal);
        if (log !== undefined && digestOf(log) === digest) logs.set(step, log);
      }
      return { events: document.events, logs };
    },

    async keep(run, { events, logs }, signal) {
      if (!writes) return;
      // Two that write at the same moment leave what the later one had read; whatever the other one does next, it tells of both.
      const before = await read(run, signal);
      const own = [...logs].map(([step, log]) => [step, descriptorOf(log)] as const);
      const all = { ...before?.logs, ...Object.fromEntries(own) };
      const document: Document = {
        run,
        events: newest(joined(events, before?.events ?? []), eventsMaxBytes),
        logs: all,
      };
      const what = { tags: [run], document, contents: [...logs.values()], there: Object.values(all) };
      await writeSealed(sealing, what, signal);
    },
  };
}

function descriptorOf(log: Buffer): Descriptor {
  return { mediaType: contentType, digest: digestOf(log), size: log.length };
}
