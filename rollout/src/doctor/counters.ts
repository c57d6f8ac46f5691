import { lackIn } from '../metrics/counts.ts';
import { samplesOf } from '../metrics/exposition.ts';
import { traefikAlways } from '../metrics/traefik.ts';
import type { Spec } from '../spec.ts';
import type { ClusterFacts } from './cluster.ts';
import { type Finding, hint, missing } from './finding.ts';

/** A replica of the gateway, and why nobody can count by it. `silent`: it could not be asked from here, which says nothing of others. */
export type Uncounted = { readonly replica: string; readonly kind: 'silent' | 'strange'; readonly why: string };

/** What a page of counters lacks for being the gateway's. */
export function strangeIn(replica: string, page: string): readonly Uncounted[] {
  const samples = samplesOf(page).filter((sample) => sample !== undefined);
  const why = lackIn(samples, traefikAlways);
  return why === undefined ? [] : [{ replica, kind: 'strange', why }];
}

/** Weight 0 is confirmed by counters that stand still, and a release judged by what they count. */
export function counters({ uncounted }: ClusterFacts, { app, kubernetes }: Spec): readonly Finding[] {
  const { kind, replicas } = kubernetes?.traffic ?? {};
  if (kind === 'gateway-api' && replicas?.metrics === undefined)
    return [
      hint(
        'kubernetes.traffic.replicas',
        "names no port of metrics, so the lanes' proxies count: a crash that ends a request is not counted, pinned requests are counted with the share, and while a pin leads to a lane its weight 0 is confirmed by the gateway's replicas alone",
        'with Traefik write metrics: the name of the port of its counters; with every other gateway leave it as it is',
      ),
    ];
  return uncounted.map(({ replica, kind, why }) => {
    const about = `replica ${replica} of the gateway`;
    if (kind === 'silent')
      return hint(
        about,
        `could not be asked for its counters from here: ${why}`,
        `give this user Role headgate-${app}-gateway`,
      );
    const said = `must be counted, or no weight 0 is ever confirmed: ${why}`;
    return missing(
      about,
      said,
      `let port ${replicas?.metrics} of kubernetes.traffic.replicas lead to the metrics of Traefik; with any other gateway leave metrics out, and the lanes' proxies count`,
    );
  });
}
