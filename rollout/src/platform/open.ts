import { join } from 'node:path';
import { openFileJournal } from '../journal/file.ts';
import type { Records } from '../journal/journal.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import type { Spec } from '../spec.ts';
import { openKubeClient } from './kubernetes/client.ts';
import type { Platform } from './platform.ts';

export type Opening = {
  /** Folder of the local platform's state. */
  readonly state: string;
  readonly signal: AbortSignal;
  /** What a former spec named was made when that was new: the queue may have got more since. */
  readonly isMade?: boolean;
  /** Says one line to whoever waits for the platform to start. */
  readonly say: (line: string) => void;
};

/** Journal, wishes and lock alone: starts nothing and loads no client. */
export function openRecords({ app, kubernetes }: Spec, state: string): Records {
  if (kubernetes === undefined) return openFileJournal(join(state, 'journal'));
  return openKubernetesJournal(openKubeClient({ namespace: kubernetes.namespace }), app);
}

/** All ports of an app. The local platform is started when it does not run yet. */
export async function openPlatform(spec: Spec, opening: Opening): Promise<Platform> {
  if (spec.kubernetes !== undefined) return openCluster(spec, spec.kubernetes.namespace, sayOnce(opening.say));
  const { openLocalPlatform } = await import('./local/open.ts');
  return openLocalPlatform(spec, opening);
}

/** What the lanes' processes say of themselves, for whoever only looks: starts nothing. */
export async function openProcesses(spec: Spec, state: string): Promise<AsyncDisposable & Pick<Platform, 'processes'>> {
  if (spec.kubernetes !== undefined) return openCluster(spec, spec.kubernetes.namespace, () => {}); // Nothing is decided.
  const { openRunningProcesses } = await import('./local/open.ts');
  return { processes: openRunningProcesses(spec, state), async [Symbol.asyncDispose]() {} };
}

/** The first trouble with Events is worth a line; the journal has what they would have said. */
function sayOnce(say: Opening['say']): (error: unknown) => void {
  let isSaid = false;
  return (error) => {
    if (!isSaid) say(`not every decision can be seen with \`kubectl get events\`: ${String(error)}`);
    isSaid = true;
  };
}

async function openCluster(spec: Spec, namespace: string, untold: (error: unknown) => void): Promise<Platform> {
  const { openKubernetesPlatform } = await import('./kubernetes/open.ts');
  const client = openKubeClient({ namespace });
  const platform = openKubernetesPlatform(spec, client, { untold });
  return {
    ...platform,
    async [Symbol.asyncDispose]() {
      await platform[Symbol.asyncDispose]();
      client[Symbol.dispose]();
    },
  };
}
