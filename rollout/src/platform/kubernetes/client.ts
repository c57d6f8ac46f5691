/**
 * The one door to an API server. Objects go through it as the JSON that they are: typed models drop fields that they do not
 * know, and what we write back must not lose what a newer cluster put there.
 */
import type { IncomingMessage } from 'node:http';
import type { Target } from './access.ts';
import { findAccess, kubeconfigs } from './find-access.ts';
import type { PodPort } from './forward.ts';
import type { Kind } from './kinds.ts';
import { readingOf } from './reading.ts';
import type { Reply } from './refused.ts';
import { type Deadlines, openTransport, type Transport } from './transport.ts';
import type { Change } from './watch.ts';
import { writingOf } from './writing.ts';

export type Metadata = {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  readonly managedFields?: readonly {
    readonly manager?: string;
    readonly operation?: string;
    readonly time?: string;
  }[];
};

export type KubeObject = { readonly apiVersion?: string; readonly kind?: string; readonly metadata: Metadata };

/** `conflict`: it is not as the caller believed (another resourceVersion, a failed `test`, it exists already). `missing`: it is not there. */
export type Written<T> =
  | { readonly kind: 'written'; readonly object: T }
  | { readonly kind: 'conflict'; readonly why: string }
  | { readonly kind: 'missing' };

/** One step of a JSON Patch (RFC 6902). `~` and `/` in a key are written with `pointer()`. */
export type PatchStep =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** What is looked for. Labels as in `kubectl -l`; without a name all of the kind. */
export type Selection = { readonly name?: string; readonly labels?: string };

export type Listed<T> = { readonly items: readonly T[]; readonly resourceVersion: string };

/**
 * Every call has a deadline of its own beside `signal`.
 * @throws {HeadgateError} `CLUSTER_UNREACHABLE` without an answer (a write may have been carried out all the same),
 *   `CLUSTER_REFUSED` when the answer is no; what `signal` aborts with passes
 */
export interface KubeClient extends Disposable {
  /** Where objects live unless `in()` says otherwise. */
  readonly namespace: string;
  /** The same connection, another namespace. Only the client that was opened is closed. */
  in(namespace: string): KubeClient;
  /** `undefined` if there is none of this name. */
  get<T extends KubeObject>(kind: Kind, name: string, signal: AbortSignal): Promise<T | undefined>;
  list<T extends KubeObject>(kind: Kind, selection: Selection, signal: AbortSignal): Promise<Listed<T>>;
  /** Names, labels and versions alone: no content crosses the wire. */
  listMetadata(kind: Kind, selection: Selection, signal: AbortSignal): Promise<Listed<KubeObject>>;
  create<T extends KubeObject>(kind: Kind, object: T, signal: AbortSignal): Promise<Written<T>>;
  /** Whole, and only over the `resourceVersion` that the object carries. */
  replace<T extends KubeObject>(kind: Kind, object: T, signal: AbortSignal): Promise<Written<T>>;
  /** All steps or none. */
  patch<T extends KubeObject>(
    kind: Kind,
    name: string,
    steps: readonly PatchStep[],
    signal: AbortSignal,
  ): Promise<Written<T>>;
  /** JSON Merge Patch (RFC 7386): `null` removes. With `metadata.resourceVersion` in it only over that version. */
  merge<T extends KubeObject>(kind: Kind, name: string, change: object, signal: AbortSignal): Promise<Written<T>>;
  /** Server-side apply as `headgate`: makes what is missing, and takes the fields that it names. For setting up, not for driving. */
  apply<T extends KubeObject>(kind: Kind, object: T, signal: AbortSignal): Promise<T>;
  /** Safe to repeat. Only the object of this `uid`, when one is given. */
  remove(kind: Kind, name: string, signal: AbortSignal, uid?: string): Promise<void>;
  /** All objects first, then every change, over restarts of the API server and times without the right, until `signal` aborts. Never throws. */
  watch<T extends KubeObject>(kind: Kind, selection: Selection, signal: AbortSignal): AsyncGenerator<Change<T>, void>;
  /** Any other GET as text: logs, a pod's own port through the API server's proxy. */
  text(path: string, signal: AbortSignal): Promise<Reply>;
  /** As `text()`, for a body that goes on, and for headers: `host` reaches what stands behind the API server's proxy. */
  stream(path: string, signal: AbortSignal, headers?: Readonly<Record<string, string>>): Promise<IncomingMessage>;
  /** A POST without a body, to a pod's own port through the API server's proxy. */
  post(path: string, signal: AbortSignal): Promise<Reply>;
  /** A port on this machine that leads, for one connection, to a pod's, from outside of the cluster. */
  forward(pod: string, port: number): Promise<number>;
}

export type Opening = Target & {
  readonly namespace: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly deadlines?: Deadlines;
};

/** Opens nothing before the first request. */
export function openKubeClient({ namespace, env = process.env, deadlines, ...target }: Opening): KubeClient {
  const forward = async (podPort: PodPort): Promise<number> => {
    const [{ loadConfig }, { forwardOnce }] = await Promise.all([import('./library.ts'), import('./forward.ts')]);
    return forwardOnce(loadConfig(await kubeconfigs(target, env), target.context), podPort);
  };
  return clientOf({ transport: openTransport(findAccess(target, env), deadlines), forward }, namespace);
}

type Ways = { readonly transport: Transport; readonly forward: (target: PodPort) => Promise<number> };

function clientOf(ways: Ways, namespace: string): KubeClient {
  const { transport, forward } = ways;
  return {
    namespace,
    in: (other) => clientOf(ways, other),
    ...readingOf(transport, namespace),
    ...writingOf(transport, namespace),
    forward: (pod, port) => forward({ namespace, pod, port }),
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

/** A part of a JSON Patch path: `pointer('metadata', 'annotations', 'headgate.dev/fence')`. */
export function pointer(...keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
