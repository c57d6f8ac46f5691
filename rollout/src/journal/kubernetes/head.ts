import { randomUUID } from 'node:crypto';
import { HeadgateError } from '../../errors.ts';
import type { KubeClient, KubeObject } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { isForbidden } from '../../platform/kubernetes/refused.ts';
import type { Journal, Json, Stored, Written } from '../journal.ts';
import { limits, refuseOver } from '../limits.ts';
import { type ConfigMap, damaged, labelsOf, overtaken, reading, writeTriesMax, writing } from './objects.ts';

export function headIn(client: KubeClient, app: string): Pick<Journal, 'read' | 'write'> {
  const head = new Head(client, app);
  return {
    read: (signal) =>
      reading(head.what, signal, async () => {
        const seen = await head.look(signal);
        if (seen === undefined) await requireNamespace(client, head.what, signal);
        return seen && parse(seen, head.what);
      }),
    async write(value, expected, signal) {
      signal.throwIfAborted();
      const text = JSON.stringify(value);
      const bytes = Buffer.byteLength(text);
      refuseOver(
        limits.headBytes,
        bytes,
        'the head of the journal in bytes',
        'make the template of the services smaller',
      );
      return writing(head.what, signal, () => head.swap(text, expected, signal));
    },
  };
}

type Seen = { readonly object: ConfigMap; readonly version: string };

/**
 * The version is a mark of our own beside the head: an annotation or label that somebody puts on the object changes its
 * resourceVersion, and is no reason for a driver to stop. Every write still carries a resourceVersion read with that mark.
 */
class Head {
  readonly #client: KubeClient;
  readonly #app: string;
  readonly #name: string;
  readonly what: string;
  #last: Seen | undefined;
  /** Writes over one version that got no answer: each may have been carried out. */
  #unsure: { readonly over: string | undefined; readonly versions: readonly string[] } = {
    over: undefined,
    versions: [],
  };

  constructor(client: KubeClient, app: string) {
    this.#client = client;
    this.#app = app;
    this.#name = `headgate-${app}`;
    this.what = `configmap ${client.namespace}/${this.#name}`;
  }

  async look(signal: AbortSignal): Promise<Seen | undefined> {
    const object = await this.#client.get<ConfigMap>(kinds.ConfigMap, this.#name, signal);
    this.#last = object && { object, version: object.data?.['version'] ?? '' };
    return this.#last;
  }

  async swap(text: string, expected: string | undefined, signal: AbortSignal): Promise<Written> {
    const version = randomUUID(); // No counter: a head that returns to an earlier state is still another one.
    for (let tries = 0; tries < writeTriesMax; tries++) {
      const seen = tries === 0 && this.#last?.version === expected ? this.#last : await this.look(signal);
      if (seen?.version === version) return { kind: 'written', version }; // The answer alone was lost.
      if (!this.#isAsExpected(seen, expected)) return { kind: 'conflict' };
      const isPut = await this.#put(text, version, seen, signal).catch((error: unknown) => {
        this.#remember(version, expected);
        throw error;
      });
      if (isPut) return { kind: 'written', version };
    }
    throw overtaken(this.what);
  }

  /** Whether nobody else has written since `expected`: a write of our own that lost its answer does not count as somebody. */
  #isAsExpected(seen: Seen | undefined, expected: string | undefined): boolean {
    if (seen?.version === expected) return true;
    const { over, versions } = this.#unsure;
    return seen !== undefined && over === expected && versions.includes(seen.version);
  }

  #remember(version: string, over: string | undefined): void {
    const earlier = this.#unsure.over === over ? this.#unsure.versions : [];
    this.#unsure = { over, versions: [...earlier, version] };
  }

  /** False if the object is another one by now. */
  async #put(head: string, version: string, over: Seen | undefined, signal: AbortSignal): Promise<boolean> {
    const data = { head, version };
    const fresh = { metadata: { name: this.#name, labels: labelsOf(this.#app) }, data };
    const written = await (over === undefined
      ? this.#client.create<ConfigMap>(kinds.ConfigMap, fresh, signal)
      : this.#client.replace<ConfigMap>(kinds.ConfigMap, { ...over.object, data }, signal));
    if (written.kind !== 'written') return false;
    this.#unsure = { over: version, versions: [] };
    this.#last = { object: written.object, version };
    return true;
  }
}

/** Without it nothing was released either, but that is not what is wrong. Who may not see namespaces is not told. */
async function requireNamespace(client: KubeClient, what: string, signal: AbortSignal): Promise<void> {
  const { namespace } = client;
  let found: KubeObject | undefined;
  try {
    found = await client.get(kinds.Namespace, namespace, signal);
  } catch (error) {
    if (isForbidden(error)) return; // Its own roles say that it exists.
    throw error;
  }
  if (found !== undefined && found.metadata.deletionTimestamp === undefined) return;
  // One that is being deleted loses its objects before it is gone itself.
  const value = found === undefined ? `"${namespace}"` : `"${namespace}", which is being deleted`;
  throw new HeadgateError(
    'JOURNAL_UNREADABLE',
    `Cannot read ${what} as its namespace must exist: current value is ${value}`,
    { hint: 'check kubernetes.namespace in headgate.yaml, and with `kubectl get namespaces` which cluster is asked' },
  );
}

function parse({ object, version }: Seen, what: string): Stored {
  const text = object.data?.['head'];
  if (text === undefined || version === '') throw damaged(what, JSON.stringify(object.data ?? {}));
  try {
    return { head: JSON.parse(text) as Json, version }; // What JSON.parse gives is `Json` by construction.
  } catch (cause) {
    throw damaged(what, text, cause);
  }
}
