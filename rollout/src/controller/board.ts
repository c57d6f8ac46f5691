import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import type { Board, BoardNews } from './controller.ts';
import type { Tended } from './tend.ts';

/** Heads and wishes; evidence carries another label, or every chunk of it would be news. */
const selection = { labels: 'app.kubernetes.io/managed-by=headgate,headgate.dev/app' };

/** The apps of one namespace, by what is written on their records: one watch, and not a request while nothing happens. */
export function openBoard(client: KubeClient, tended: (app: string) => Tended): Board {
  return {
    tended,
    async *news(signal) {
      for await (const change of client.watch(kinds.ConfigMap, selection, signal)) {
        if (change.kind === 'all') yield* [{ kind: 'seeing' } as const, ...newsOf(change.objects)];
        else if (change.kind === 'set') yield* newsOf([change.object]);
        else if (change.kind === 'blind') yield change;
      }
    },
  };
}

function newsOf(objects: readonly KubeObject[]): readonly BoardNews[] {
  return [...new Set(objects.flatMap(appOf))].map((app) => ({ kind: 'app', app }));
}

function appOf({ metadata }: KubeObject): readonly string[] {
  const app = metadata.labels?.['headgate.dev/app'];
  const isNews = app !== undefined && [`headgate-${app}`, `headgate-${app}-wishes`].includes(metadata.name);
  return isNews ? [app] : [];
}
