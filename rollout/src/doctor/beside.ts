/** What stands beside the lanes and gets into their way. */
import { lanes } from '../lane.ts';
import { laneLabels, managedBy, marks } from '../platform/kubernetes/lane-names.ts';
import type { Spec } from '../spec.ts';
import { laneServices } from '../traffic/lane-services.ts';
import type { ClusterFacts } from './cluster.ts';
import { type Finding, hint, missing } from './finding.ts';

/** A Service of the user's own that means pods of both lanes sends requests past the weights. */
export function waysAround({ services, podLabels }: ClusterFacts, { app, services: all }: Spec): readonly Finding[] {
  const { weighted, pinned } = laneServices(app);
  const own = new Set([...Object.values(weighted), ...Object.values(pinned)]);
  const labels = Object.keys(all).flatMap((service) =>
    lanes.map((lane): Labels => ({ ...podLabels[service], ...laneLabels(app, lane, service) })),
  );
  return services
    .filter(({ metadata }) => !own.has(metadata.name))
    .filter((object) => {
      const selector = Object.entries(
        (object as { spec?: { selector?: Record<string, string> } }).spec?.selector ?? {},
      );
      return selector.length > 0 && labels.some((pod) => selector.every(([label, value]) => pod[label] === value));
    })
    .map(({ metadata: { name } }) =>
      missing(
        `Service ${name}`,
        'must not select pods of the lanes: what it sends goes past the weights and is judged nowhere',
        `send to the route, or select something else than ${marks.app}`,
      ),
    );
}

export function budgets({ budgets: found }: ClusterFacts, { app, services }: Spec): readonly Finding[] {
  return lanes.flatMap((lane) =>
    Object.keys(services).flatMap((service) => {
      const pod: Labels = laneLabels(app, lane, service);
      const meant = found.filter((object) => {
        const { matchLabels = {} } =
          (object as { spec?: { selector?: { matchLabels?: Record<string, string> } } }).spec?.selector ?? {};
        return Object.entries(matchLabels).every(([label, value]) => pod[label] === value);
      });
      if (meant.length < 2) return [];
      const names = meant.map(({ metadata }) => metadata.name).join(', ');
      return [
        missing(
          `PodDisruptionBudgets ${names}`,
          `one must mean the pods of ${service} in lane ${lane}: with two nobody can evict them`,
          'delete the one that is not of the lane',
        ),
      ];
    }),
  );
}

type Labels = Readonly<Record<string, string>>;

type Target = { readonly spec?: { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } } };

export function autoscalers({ autoscalers: found }: ClusterFacts): readonly Finding[] {
  const targets = new Map<string, string[]>();
  for (const object of found) {
    const { name = '' } = (object as Target).spec?.scaleTargetRef ?? {};
    targets.set(name, [...(targets.get(name) ?? []), object.metadata.name]);
  }
  return [...targets]
    .filter(([, names]) => names.length > 1)
    .map(([target, names]) =>
      missing(
        `HorizontalPodAutoscalers ${names.join(', ')}`,
        `one must scale Deployment ${target}: two fight`,
        'delete the one that is not of the manifests',
      ),
    );
}

/** What bootstrap made by manifests that are gone: nobody takes it away, and an autoscaler scales on. */
export function leftOver({ standing, budgets, autoscalers }: ClusterFacts, { app }: Spec): readonly Finding[] {
  if (standing === undefined) return [];
  const made = Object.entries({ ...managedBy, [marks.app]: app });
  const found = { PodDisruptionBudget: budgets, HorizontalPodAutoscaler: autoscalers };
  return Object.entries(found).flatMap(([kind, objects]) =>
    objects
      .filter(
        ({ metadata: { labels = {} } }) =>
          marks.lane in labels && made.every(([label, value]) => labels[label] === value),
      )
      .filter(({ metadata: { name } }) => !standing.includes(`${kind} ${name}`))
      .map(({ metadata: { name } }) =>
        hint(
          `${kind} ${name}`,
          'is in no manifest any more and stands all the same',
          `kubectl delete ${kind.toLowerCase()} ${name}`,
        ),
      ),
  );
}
