/** Another route of the namespace that asks a gateway for requests that the lanes' route asks for too. */
import type { KubeObject } from '../platform/kubernetes/client.ts';
import type { Spec } from '../spec.ts';
import type { HttpRoute, Rule } from '../traffic/http-route.ts';
import type { ClusterFacts } from './cluster.ts';
import { type Finding, hint, missing } from './finding.ts';

type Route = KubeObject & HttpRoute;

/** Of two routes for the same host and path a gateway takes the older one, and of the same age the one whose name comes first. */
export function samePlace({ routes }: ClusterFacts, { kubernetes }: Spec): readonly Finding[] {
  const all = routes as readonly Route[]; // HTTPRoutes: no others are looked for.
  const ours = all.find(({ metadata }) => metadata.name === kubernetes?.traffic.route);
  if (ours === undefined) return [];
  return all
    .filter((route) => route !== ours && share(parentsOf(route), parentsOf(ours)))
    .flatMap((route) => placesOf(route).flatMap((place) => clash(ours, route, place)));
}

function clash(ours: Route, other: Route, place: Place): readonly Finding[] {
  if (!placesOf(ours).some((own) => own.path === place.path && overlap(own.host, place.host))) return [];
  const about = `HTTPRoute ${other.metadata.name}`;
  const asked = `asks for ${place.host ?? 'any host'} ${place.path} as HTTPRoute ${ours.metadata.name} does`;
  const cure = 'delete one of them, or give it another host or path';
  return [
    ageOf(other) < ageOf(ours)
      ? missing(about, `${asked}, is older, and has the requests: no lane gets them`, cure)
      : hint(about, `${asked}: the older one has the requests, which is the lanes' today`, cure),
  ];
}

type Place = { readonly host: string | undefined; readonly path: string };

/** Where a request needs nothing besides: a rule that wants a header, too, is another one. */
function placesOf({ spec: { hostnames = [], rules = [] } }: Route): readonly Place[] {
  const hosts = hostnames.length === 0 ? [undefined] : hostnames;
  const paths = [...new Set(rules.flatMap(plainPaths))];
  return hosts.flatMap((host) => paths.map((path) => ({ host, path })));
}

function plainPaths({ matches = [{}] }: Rule): readonly string[] {
  return matches
    .filter((match) => Object.keys(match).every((key) => key === 'path'))
    .map(({ path: { type = 'PathPrefix', value = '/' } = {} }) => (type === 'PathPrefix' ? value : `${type} ${value}`));
}

/** `undefined` is any host; `*.` any below. */
function overlap(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined || one === other) return true;
  return covers(one, other) || covers(other, one);
}

function covers(wildcard: string, host: string): boolean {
  return wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1));
}

/** Gateways, by namespace and name; a listener or port that is named makes another place of one. */
function parentsOf({ metadata, spec }: Route): ReadonlySet<string> {
  type Parent = { readonly namespace?: string; readonly name?: string };
  return new Set(
    ((spec.parentRefs ?? []) as readonly Parent[]).map(
      ({ namespace = metadata.namespace, name }) => `${namespace}/${name}`,
    ),
  );
}

function share(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((one) => others.has(one));
}

function ageOf({ metadata }: Route): string {
  return `${metadata.creationTimestamp} ${metadata.name}`;
}
