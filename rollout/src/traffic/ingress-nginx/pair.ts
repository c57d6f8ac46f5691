/**
 * What Headgate says in two Ingresses, main and canary, and what it reads there. Nothing here asks anybody.
 *
 * ingress-nginx gives the canary a share and the main Ingress the rest, and answers 503 for everything when the main one has no endpoint.
 * So main follows the live lane; which lane that is can be asked of each replica:
 * - main has one path more, whose backend is the pinned Service of main's own lane: it is never shared with the canary;
 * - the canary takes requests with a header of a value that stands for weights and pins. Such a request also has a cookie by which every
 *   other canary would refuse it, as the header goes before the cookie. A replica that sends one to the canary's lane has this canary.
 */
import { createHash } from 'node:crypto';
import {
  closedWeights,
  type Lane,
  lanes,
  otherLane,
  type Pin,
  percent,
  sameWeights,
  type Weights,
  weightsFor,
} from '../../lane.ts';
import { isCookie, probeHeader } from '../../pin.ts';
import { fenceOf } from '../../platform/kubernetes/fence.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import type { LaneServices } from '../lane-services.ts';
import { literalPattern } from '../pin-pattern.ts';
import { pinsIn } from '../pins-annotation.ts';
import type { WrittenMetadata } from '../writer.ts';

export type Ingress = {
  readonly metadata: WrittenMetadata;
  readonly spec: { readonly rules?: readonly IngressRule[] };
};

type IngressRule = { readonly host?: string; readonly http?: { readonly paths: readonly IngressPath[] } };

export type IngressPath = {
  readonly path?: string;
  readonly pathType: string;
  readonly backend: { readonly service?: { readonly name: string; readonly port?: object } };
};

/** `closed`: the Service without pods, by which the route answers 503 before the first release. */
export type IngressNames = { readonly app: string; readonly services: LaneServices; readonly closed: string };

/** `main` is `undefined` while both lanes are closed. The canary's lane may be main's own: then it has no effect. */
export type PairState = {
  readonly main: Lane | undefined;
  readonly canary: Lane;
  /** Whole percent of the canary. */
  readonly weight: number;
  readonly pins: readonly Pin[];
};

const prefix = 'nginx.ingress.kubernetes.io/';
const pinsKey = 'headgate.dev/pins';
export const weightKey = `${prefix}canary-weight`;

export function mainPath(app: string): string {
  return `/.well-known/headgate/${app}`;
}

/** The rule that leads users to the lanes: its host is one of theirs. */
export function lanesRule({ rules }: Ingress['spec'], app: string): IngressRule | undefined {
  return rules?.find(({ http }) => http?.paths.some(({ path }) => path !== mainPath(app)));
}

/** Stands for all that the canary says, in the place of a pin's value. */
function pairMark(state: PairState): string {
  const pins = effectivePins(state).map(({ header, value }) => [header, value]);
  const text = JSON.stringify([state.canary, state.weight, pins]);
  return `headgate-${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
}

/** A pin to main's own lane asks for nothing: it stands only beside weight 0. */
function effectivePins({ main, pins }: Pick<PairState, 'main' | 'pins'>): readonly Pin[] {
  return pins.filter(({ lane }) => lane !== main);
}

export function weightsOf({ main, canary, weight }: PairState): Weights {
  if (main === undefined) return closedWeights;
  return canary === main ? weightsFor(main, percent(100)) : weightsFor(canary, percent(weight));
}

/**
 * The next write on the way to these weights; `undefined`: the pair stands for them. Main changes only while the canary has everything,
 * and the canary's lane only when main has it: so no request finds a lane without endpoints, and no replica may be behind by one step.
 */
export function nextState(state: PairState, wanted: Weights): PairState | undefined {
  const target = lanes.find((lane) => wanted[lane] === 100);
  if (sameWeights(wanted, closedWeights)) return towardsClosed(state);
  if (state.main === undefined) return fromClosed(state, target ?? (wanted.blue >= wanted.green ? 'blue' : 'green'));
  if (target !== undefined && target !== state.main) return towardsAll(state, target);
  const canary = otherLane(state.main);
  if (state.canary === canary && state.weight === wanted[canary]) return undefined;
  return { ...state, canary, weight: wanted[canary] };
}

function towardsClosed(state: PairState): PairState | undefined {
  if (state.weight > 0) return { ...state, weight: 0 };
  return state.main === undefined ? undefined : { ...state, main: undefined };
}

function fromClosed(state: PairState, first: Lane): PairState {
  const canary = otherLane(first);
  return state.canary === canary && state.weight === 0 ? { ...state, main: first } : { ...state, canary, weight: 0 };
}

/** A canary that gets everything, then main follows it. */
function towardsAll(state: PairState, target: Lane): PairState {
  if (state.canary !== target) return { ...state, canary: target, weight: 0 };
  return state.weight < 100 ? { ...state, weight: 100 } : { ...state, main: target };
}

/** Why the annotations cannot say these pins beside this weight, or `undefined`. */
export function unsupportedPins({
  main,
  weight,
  pins,
}: Pick<PairState, 'main' | 'weight' | 'pins'>): string | undefined {
  const mainly = pins.filter(({ lane }) => lane === main);
  if (mainly.length > 0 && weight > 0)
    return 'ingress-nginx pins to the canary only, and a pin leads to the other lane';
  const rest = effectivePins({ main, pins });
  const headers = new Set(rest.filter((pin) => !isCookie(pin)).map(({ header }) => header.toLowerCase()));
  if (headers.size > 1) return `ingress-nginx looks at one header for pins: ${[...headers].join(' and ')} are two`;
  const cookies = rest.filter(isCookie);
  if (cookies.length > 1) return 'ingress-nginx looks at one cookie for pins';
  const odd = cookies.find(({ value }) => !/^[^=;\s]+=always$/.test(value));
  return odd === undefined
    ? undefined
    : `ingress-nginx knows one value of a cookie, "always": current value is "${odd.value}"`;
}

/** The canary's annotations; a key with `undefined` must not be there. */
export function canaryAnnotations(
  state: PairState,
  fence: number,
  { app }: Pick<IngressNames, 'app'>,
): Readonly<Record<string, string | undefined>> {
  const { weight, pins } = state;
  const effective = effectivePins(state);
  const headers = effective.filter((pin) => !isCookie(pin));
  const cookie = effective.find(isCookie)?.value.split('=')[0] ?? refusingCookie(app);
  const values = [...headers.map(({ value }) => value), pairMark(state)];
  const one = values.length === 1;
  return {
    [`${prefix}canary`]: 'true',
    [weightKey]: String(weight),
    [`${prefix}canary-weight-total`]: '100',
    [`${prefix}canary-by-header`]: headers[0]?.header ?? probeHeader,
    [`${prefix}canary-by-header-value`]: one ? values[0] : undefined,
    [`${prefix}canary-by-header-pattern`]: one ? undefined : `^(${values.map(literalPattern).join('|')})$`,
    [`${prefix}canary-by-cookie`]: cookie,
    [pinsKey]: JSON.stringify(pins),
    [marks.fence]: String(fence),
  };
}

/** Headers by which a replica shows that it has this canary, and no other one. */
export function markHeaders(state: PairState, { app }: Pick<IngressNames, 'app'>): Readonly<Record<string, string>> {
  const annotations = canaryAnnotations(state, 0, { app });
  const name = annotations[`${prefix}canary-by-header`] ?? probeHeader;
  const cookies = new Set([annotations[`${prefix}canary-by-cookie`], refusingCookie(app)]);
  return { [name]: pairMark(state), cookie: [...cookies].map((cookie) => `${cookie}=never`).join('; ') };
}

/** The canary's cookie while nobody is pinned by one: the same in every canary of the app. */
function refusingCookie(app: string): string {
  return `headgate-${app}`;
}

export type PairRead =
  | {
      readonly kind: 'read';
      readonly state: PairState;
      /** The lower of both, or `undefined` before Headgate's first write. */
      readonly fence: number | undefined;
      /** Everything of ours is as `state` asks. */
      readonly whole: boolean;
    }
  | { readonly kind: 'unfit'; readonly why: string };

export function readPair(main: Ingress, canary: Ingress, names: IngressNames): PairRead {
  const { services, closed } = names;
  const ofMain = servicesIn(main, names);
  const ofCanary = servicesIn(canary, names);
  const canaryLane = lanes.find((lane) => ofCanary.every((name) => name === services.weighted[lane]));
  if (ofCanary.length === 0 || canaryLane === undefined)
    return { kind: 'unfit', why: 'the canary ingress leads to no lane' };
  const mainLane = lanes.find((lane) => ofMain.every((name) => name === services.weighted[lane]));
  const isClosed = ofMain.every((name) => name === closed);
  if (ofMain.length === 0 || (mainLane === undefined && !isClosed))
    return { kind: 'unfit', why: 'the main ingress leads to no lane' };
  const annotations = canary.metadata.annotations ?? {};
  const pins = pinsIn(annotations[pinsKey]);
  const weight = Number(annotations[weightKey] ?? 0);
  const state: PairState = { main: mainLane, canary: canaryLane, weight, pins: pins ?? [] };
  const fences = [main, canary].map(fenceOf).filter((one) => one !== undefined);
  const fence = fences.length === 2 ? Math.min(...fences) : undefined;
  const wanted = Object.entries(canaryAnnotations(state, 0, names)).filter(([key]) => key !== marks.fence);
  const whole =
    pins !== undefined &&
    wanted.every(([key, value]) => annotations[key] === value) &&
    markPathLeadsTo(main, state, names);
  return { kind: 'read', state, fence, whole };
}

/** Where the main Ingress's own path leads. */
export function mainPathService({ main }: Pick<PairState, 'main'>, { services, closed }: IngressNames): string {
  return main === undefined ? closed : services.pinned[main];
}

function markPathLeadsTo({ spec }: Ingress, state: PairState, names: IngressNames): boolean {
  const paths = (spec.rules ?? []).flatMap(({ http }) => http?.paths ?? []);
  const own = paths.filter(({ path }) => path === mainPath(names.app));
  return own.length > 0 && own.every(({ backend }) => backend.service?.name === mainPathService(state, names));
}

/** Services of ours in all paths but the one of the mark. */
function servicesIn({ spec }: Ingress, { app, services, closed }: IngressNames): readonly string[] {
  const ours = new Set([...lanes.map((lane) => services.weighted[lane]), closed]);
  return (spec.rules ?? [])
    .flatMap(({ http }) => http?.paths ?? [])
    .filter(({ path }) => path !== mainPath(app))
    .flatMap(({ backend }) => (ours.has(backend.service?.name ?? '') ? [backend.service?.name ?? ''] : []));
}
