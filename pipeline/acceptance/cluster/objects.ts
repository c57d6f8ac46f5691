import type { Ground } from './ground.ts';

const what =
  'jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation} {.status.containerStatuses[*].restartCount};{end}';

/** Deployments and pods of lanes: while nobody touches them, it is the same text. */
export function objectsOf({ kubectl }: Pick<Ground, 'kubectl'>, lane?: string): Promise<string> {
  const selector = lane === undefined ? 'headgate.dev/lane' : `headgate.dev/lane=${lane}`;
  return kubectl(['get', 'deployments,pods', '--selector', selector, '-o', what]);
}
