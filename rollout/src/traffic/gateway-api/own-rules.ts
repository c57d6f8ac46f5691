/**
 * The rules of ours in an HTTPRoute besides the weights: a mark and the pins, after all other rules.
 *
 * - The mark is a rule for one exact path that the gateway answers itself, with a redirect to a host that exists nowhere and whose name
 *   stands for weights and pins. Rules of one route come into force together, so a replica that answers with the mark has them.
 *   Redirects by host name are a core feature of the Gateway API, need no backend, and reach no lane.
 * - Pins stand behind the weighted rules and win all the same, as more header matches win. So the weighted rules keep their places, by
 *   which a gateway may name its counters.
 */
import { createHash } from 'node:crypto';
import { lanes, type Pin, type Weights } from '../../lane.ts';
import { isCookie } from '../../pin.ts';
import type { BackendRef, Rule } from '../http-route.ts';
import type { LaneServices } from '../lane-services.ts';
import { cookiePattern } from '../pin-pattern.ts';

export type RouteNames = { readonly app: string; readonly services: LaneServices };

/** What a mark stands for. */
export type Split = { readonly weights: Weights; readonly pins: readonly Pin[] };

/** Where each part of ours stands among the rules. */
type Places = { readonly weighted: readonly number[]; readonly own: readonly number[] };

/** The gateway answers this path itself; it tells nothing that an answer of a lane does not tell. */
export function markPath(app: string): string {
  return `/.well-known/headgate/${app}`;
}

/** A DNS label that stands for weights and pins: equal for equal ones, whoever wrote them and when. */
export function markOf({ weights, pins }: Split): string {
  const text = JSON.stringify([
    weights.blue,
    weights.green,
    pins.map(({ header, value, lane }) => [header, value, lane]),
  ]);
  return `blue-${weights.blue}-green-${weights.green}-${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
}

/** The mark that a redirect of the mark's rule carries; `undefined` for any other answer. */
export function markIn(location: string | undefined): string | undefined {
  const [, mark] = /^[a-z]+:\/\/([a-z0-9-]+)\.headgate\.invalid(?::\d+)?(?:\/|$)/.exec(location ?? '') ?? [];
  return mark;
}

/** The mark and the pins, as the API server gives them back: its defaults are written out. */
export function ownRules(rules: readonly Rule[], said: Split, names: RouteNames): readonly Rule[] {
  const { weighted } = placesIn(rules, names);
  const mark: Rule = {
    matches: [{ path: { type: 'Exact', value: markPath(names.app) } }],
    filters: [
      { type: 'RequestRedirect', requestRedirect: { hostname: `${markOf(said)}.headgate.invalid`, statusCode: 302 } },
    ],
  };
  const pinned = runsOf(said.pins).flatMap((run) =>
    weighted.flatMap((place) => pinnedRule(rules[place] ?? {}, run, names)),
  );
  return [mark, ...pinned];
}

/** What a weighted rule does, for requests with one of these pins. */
function pinnedRule({ name: _, ...rule }: Rule, pins: readonly Pin[], { services }: RouteNames): readonly Rule[] {
  const [first] = pins;
  if (first === undefined) return [];
  const refs = rule.backendRefs ?? [];
  const { port, filters } = refs.find((ref) => isService(ref, services.weighted[first.lane])) ?? {};
  const matches = rule.matches ?? [{ path: { type: 'PathPrefix', value: '/' } }];
  const backend: BackendRef = {
    group: '',
    kind: 'Service',
    name: services.pinned[first.lane],
    ...(port === undefined ? {} : { port }),
    weight: 1,
    ...(filters === undefined ? {} : { filters }),
  };
  return [
    {
      ...rule,
      matches: matches.flatMap((match) =>
        pins.map((pin) => ({ ...match, headers: [...(match.headers ?? []), headerOf(pin)] })),
      ),
      backendRefs: [backend],
    },
  ];
}

/** Neighbours of one lane share a rule; the order of pins is kept, as the first that fits wins. */
function runsOf(pins: readonly Pin[]): readonly (readonly Pin[])[] {
  const runs: Pin[][] = [];
  for (const pin of pins) {
    const last = runs.at(-1);
    if (last?.[0]?.lane === pin.lane) last.push(pin);
    else runs.push([pin]);
  }
  return runs;
}

/** A cookie is one of many in its header, so it is looked for; every other header is compared whole. */
function headerOf(pin: Pin): { type: string; name: string; value: string } {
  return isCookie(pin)
    ? { type: 'RegularExpression', name: pin.header, value: cookiePattern(pin) }
    : { type: 'Exact', name: pin.header, value: pin.value };
}

export function placesIn(rules: readonly Rule[], { app, services }: RouteNames): Places {
  const places = rules.map((_, place) => place);
  const refs = (place: number): readonly BackendRef[] => rules[place]?.backendRefs ?? [];
  const has = (place: number, name: string): boolean => refs(place).some((ref) => isService(ref, name));
  const isMark = (place: number): boolean =>
    rules[place]?.matches?.some(({ path }) => path?.type === 'Exact' && path.value === markPath(app)) === true;
  const isPin = (place: number): boolean => lanes.some((lane) => has(place, services.pinned[lane]));
  return {
    weighted: places.filter((place) => lanes.every((lane) => has(place, services.weighted[lane]))),
    own: places.filter((place) => isMark(place) || isPin(place)),
  };
}

export function isService({ name, kind = 'Service', group = '' }: BackendRef, service: string): boolean {
  return name === service && kind === 'Service' && group === '';
}
