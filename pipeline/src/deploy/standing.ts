/** What stands in a cluster for ever, as autoscalers and budgets do: bootstrap makes it as the manifests say, and no release changes it. */
import {
  isHeadgateError,
  type LaneChange,
  openKubeClient,
  planLanes,
  type Spec,
  withDeadline,
} from '@headgate/rollout';
import type { Rendered } from './manifests.ts';

const lookMaxMs = 10_000;

/** One line for whoever releases, or `undefined` where all is as the manifests say. Changes nothing, and its failure is such a line too. */
export async function readBootstrapDue(
  spec: Spec,
  manifests: Rendered,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { app, services, kubernetes } = spec;
  if (kubernetes === undefined) return undefined;
  try {
    using client = openKubeClient({ namespace: kubernetes.namespace });
    return bootstrapDue(await planLanes(client, { app, services, manifests }, withDeadline(signal, lookMaxMs)));
  } catch (error) {
    signal.throwIfAborted();
    if (!isHeadgateError(error)) throw error;
    return `Cannot tell whether \`headgate bootstrap\` is due: ${error.message.replaceAll('\n', '; ')}`;
  }
}

const namedMax = 8;

/** A release alone would end well, and what was written never come true. */
export function bootstrapDue(changes: readonly Pick<LaneChange, 'object'>[]): string | undefined {
  if (changes.length === 0) return undefined;
  const names = changes.map(({ object: { kind, name } }) => `${kind.kind} ${name}`);
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : '';
  return `\`headgate bootstrap\` is due: no release changes what is not as the manifests say: ${names.slice(0, namedMax).join(', ')}${more}`;
}
