/**
 * What Traefik counts for each lane: `traefik_service_requests_total` of the services that it makes for the lanes' Services.
 *
 * - A request is counted when it is over, by the status that its client got. 502 and 504 for a pod that refuses, breaks off or stays
 *   silent are among them; a client that leaves before its answer is 499, so refused.
 * - The 503 for a lane without any endpoint is counted for no service: that a lane has nobody left is readiness, and evidence of its own.
 * - Series of services that are no longer in the configuration are dropped at the scrape after next, and begin at nothing if they return.
 */
import { type Lane, lanes } from '../lane.ts';
import type { LaneServices } from '../traffic/lane-services.ts';
import type { Counted, CountsIn, Way } from './counts.ts';
import type { Sample } from './exposition.ts';
import type { Totals } from './metrics.ts';

/** On every page of Traefik once it has read its configuration; its counts are there only after a first request. */
export const traefikAlways = 'traefik_config_reloads_total';

const ways = ['weighted', 'pinned'] as const satisfies readonly Way[];

type Place = { readonly lane: Lane; readonly way: Way };

export function traefikCounts(placeOf: (service: string) => Place | undefined): CountsIn {
  return (samples) => samples.flatMap((sample) => countedIn(sample, placeOf));
}

function countedIn(sample: Sample, placeOf: (service: string) => Place | undefined): readonly Counted[] {
  if (sample.name !== 'traefik_service_requests_total') return [];
  const place = placeOf(sample.labels['service'] ?? '');
  if (place === undefined) return [];
  return whatIs(Number(sample.labels['code'])).map((what) => ({ ...place, what, sample }));
}

function whatIs(code: number): readonly (keyof Totals)[] {
  if (code >= 500) return ['requests', 'failed'];
  return code >= 400 ? ['requests', 'refused'] : ['requests'];
}

/** Names that the Gateway API provider gives to the backends of a route: `…-svc-<namespace>-<service>-<place>@kubernetesgateway`. */
export function gatewayPlaces(
  route: { readonly namespace: string; readonly route: string },
  services: LaneServices,
): (service: string) => Place | undefined {
  const { namespace } = route;
  const places = lanes.flatMap((lane) =>
    ways.map((way) => ({ lane, way, end: `-svc-${namespace}-${services[way][lane]}` })),
  );
  return (service) => {
    const [, name] = /^(.*)-\d+@kubernetesgateway$/.exec(service) ?? [];
    if (name?.startsWith(`httproute-${namespace}-${route.route}-gw-`) !== true) return undefined;
    return places.find(({ end }) => name.endsWith(end));
  };
}
