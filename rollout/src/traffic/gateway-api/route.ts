/**
 * What Headgate says in an HTTPRoute, and what it reads there. Nothing here asks anybody.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Lane, lanes, type PerLane, type Pin, percent, type Weights } from '../../lane.ts';
import { fenceOf } from '../../platform/kubernetes/fence.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import type { BackendRef, HttpRoute, Rule } from '../http-route.ts';
import type { LaneServices } from '../lane-services.ts';
import { pinsIn } from '../pins-annotation.ts';
import { isService, ownRules, placesIn, type RouteNames, type Split } from './own-rules.ts';

/** Headgate's own words about a route; `fence` is the driver that wrote. */
export type Said = Split & { readonly fence: number };

/** `fence` is `undefined` before Headgate's first write. */
export type RouteRead =
  | {
      readonly kind: 'read';
      readonly weights: Weights;
      readonly pins: readonly Pin[];
      readonly fence: number | undefined;
      /** Mark and pins are exactly those of `weights` and `pins`. */
      readonly whole: boolean;
    }
  /** Weights that are none: a write of weights mends it. */
  | { readonly kind: 'astray'; readonly why: string; readonly pins: readonly Pin[]; readonly fence: number | undefined }
  /** No place for weights. */
  | { readonly kind: 'unfit'; readonly why: string };

const pinsKey = 'headgate.dev/pins';

export function readRoute({ metadata, spec }: HttpRoute, names: RouteNames): RouteRead {
  const rules = spec.rules ?? [];
  const { weighted, own } = placesIn(rules, names);
  if (weighted.length === 0) {
    const wanted = lanes.map((lane) => names.services.weighted[lane]).join(' and ');
    return { kind: 'unfit', why: `no rule of the route has both backends, ${wanted}` };
  }
  const written = pinsIn(metadata.annotations?.[pinsKey]);
  const pins = written ?? [];
  const fence = fenceOf({ metadata });
  const splits = weighted.map((place) => splitOf(rules[place]?.backendRefs ?? [], names.services));
  const weights = agreedWeights(splits);
  if (weights === undefined) {
    const why = splits.map(({ blue, green }) => `blue ${blue}, green ${green}`).join('; ');
    return { kind: 'astray', why: `weights of the route do not add up to 100, or differ: ${why}`, pins, fence };
  }
  const found = own.map((place) => rules[place]);
  const same = isDeepStrictEqual(plain(found), plain(ownRules(rules, { weights, pins }, names)));
  return { kind: 'read', weights, pins, fence, whole: written !== undefined && same };
}

/** What must be done to a route so that it says something else of ours; nothing else in it is touched. */
export type RouteChange = {
  readonly backends: readonly {
    readonly rule: number;
    readonly backend: number;
    readonly name: string;
    readonly weight: number;
  }[];
  /** Places to take away, the last one first; then these are added at the end. */
  readonly remove: readonly number[];
  readonly append: readonly Rule[];
  readonly annotations: Readonly<Record<string, string>>;
};

export type Changed =
  | { readonly kind: 'change'; readonly change: RouteChange }
  | { readonly kind: 'unsupported'; readonly why: string };

/** @param route one that is not `unfit` */
export function changeOf(route: HttpRoute, said: Said, names: RouteNames): Changed {
  const rules = route.spec.rules ?? [];
  const { weighted, own } = placesIn(rules, names);
  const append = ownRules(rules, said, names);
  const why = tooMuch(rules.length - own.length, append);
  if (why !== undefined) return { kind: 'unsupported', why };
  const found = own.map((place) => rules[place]);
  const same = isDeepStrictEqual(plain(found), plain(append));
  return {
    kind: 'change',
    change: {
      backends: weighted.flatMap((rule) => backendChanges(rules[rule]?.backendRefs ?? [], rule, said.weights, names)),
      remove: same ? [] : own.toReversed(),
      append: same ? [] : append,
      annotations: changedAnnotations(route.metadata.annotations ?? {}, said),
    },
  };
}

function backendChanges(
  refs: readonly BackendRef[],
  rule: number,
  weights: Weights,
  { services }: RouteNames,
): RouteChange['backends'] {
  return refs.flatMap((ref, backend) => {
    const lane = lanes.find((one) => isService(ref, services.weighted[one]));
    if (lane === undefined || ref.weight === weights[lane]) return [];
    return [{ rule, backend, name: ref.name, weight: weights[lane] }];
  });
}

function changedAnnotations(
  before: Readonly<Record<string, string>>,
  { pins, fence }: Said,
): Readonly<Record<string, string>> {
  const wanted = { [marks.fence]: String(fence), [pinsKey]: JSON.stringify(pins) };
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => before[key] !== value));
}

/** Limits of the API: 16 rules, 64 matches in one, 128 in all that is ours. */
function tooMuch(others: number, own: readonly Rule[]): string | undefined {
  if (others + own.length > 16)
    return `an HTTPRoute has place for 16 rules, and ${others + own.length} would be needed`;
  const most = Math.max(0, ...own.map(({ matches = [] }) => matches.length));
  return most > 64 ? `a rule of an HTTPRoute has place for 64 matches, and ${most} would be needed` : undefined;
}

function splitOf(refs: readonly BackendRef[], services: LaneServices): PerLane<number> {
  const weight = (lane: Lane): number => {
    const ref = refs.find((one) => isService(one, services.weighted[lane]));
    return ref?.weight ?? 1; // The API's own default.
  };
  return { blue: weight('blue'), green: weight('green') };
}

/** One split, in all rules. */
function agreedWeights(splits: readonly PerLane<number>[]): Weights | undefined {
  const [first = { blue: 0, green: 0 }] = splits;
  const total = first.blue + first.green;
  if (splits.some(({ blue, green }) => blue !== first.blue || green !== first.green)) return undefined;
  return total === 100 || total === 0 ? { blue: percent(first.blue), green: percent(first.green) } : undefined;
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
