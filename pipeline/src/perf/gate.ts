/** The performance gate: the version that is to be released beside the one that is live, on this machine, with real servers. */

import { HeadgateError, type Lane, type PerfSpec } from '@headgate/rollout';
import { pullImage } from '@headgate/rollout/local';
import { type App, type Ground, openGround } from '../image/test/ground.ts';
import { type Instance, startInstance, untilReady } from '../image/test/instance.ts';
import { lackOfMigration } from '../image/test/migrate.ts';
import type { RecordedRequest } from '../image/test/requests.ts';
import { capacityLine } from './capacity.ts';
import { heyCheck } from './hey.ts';
import { judgePerf, type PerfVerdict } from './judge.ts';
import type { Method } from './open-loop.ts';
import { type Priority, raisePriority, usualPriority } from './priority.ts';
import { measureRounds } from './rounds.ts';
import { type PerfRule, perfRule, type Round, roundsMaxOf, ruleFor } from './rule.ts';
import type { LoadRequest } from './side.ts';

/** Images by service, each `host:port/name@sha256:…`. */
export type Images = Readonly<Record<string, string>>;

/** By service. */
export type Variables = Readonly<Record<string, Readonly<Record<string, string>>>>;

export function variablesOf(services: Readonly<Record<string, { readonly env: Variables[string] }>>): Variables {
  return Object.fromEntries(Object.entries(services).map(([name, { env }]) => [name, env]));
}

export type PerfRequest = App & {
  readonly before: Images;
  readonly after: Images;
  /** `env` of each service of the old version; `undefined`: it is what the new one has. */
  readonly beforeEnv: Variables | undefined;
  /** Where images are unpacked and kept by digest. */
  readonly imageFolder: string;
  /** Of the servers' data and of logs; removed with them. */
  readonly workFolder: string;
  readonly requests: readonly RecordedRequest[];
  readonly perSecond: number;
  readonly roundMs: number;
  /** Says how many rounds there are at most, and when fewer are enough. */
  readonly rule: PerfRule;
  /** `usual`: none before others on this machine. */
  readonly priority?: 'usual' | undefined;
  readonly say: (line: string) => void;
  /** Hears what makes the comparison worth less than it looks, and nobody may miss. */
  readonly warn: (line: string) => void;
};

/** What the gate of an app sends, and by what it judges. */
export function perfSettings(spec: PerfSpec): Pick<PerfRequest, 'perSecond' | 'roundMs' | 'rule'> {
  return { ...perfDefaults, perSecond: spec.perSec, rule: ruleFor(spec) };
}

/** As many requests as tell 20 % on one in twenty from nothing (`npm run acceptance -- perf-replay`); short rounds find gaps between neighbours. */
export const perfDefaults = { perSecond: 1_000, roundMs: 2_500, rule: perfRule } as const;

/** As long as it takes where each round is disturbed, with the start of both versions. */
export function perfTimeoutMs({ roundMs, rule }: Pick<PerfRequest, 'roundMs' | 'rule'>): number {
  return 2 * roundsMaxOf(rule) * 2 * roundMs + 300_000;
}

/** @throws {HeadgateError} `SERVER_MISSING`, `SERVER_START`, `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `USAGE`; `STEP_FAILED` if the migration fails */
export async function comparePerf(request: PerfRequest, signal: AbortSignal): Promise<PerfVerdict> {
  const { rounds, rule } = await measurePerf({ ...request, crossCheck: true }, signal);
  return judgePerf(rounds, rule);
}

/** What is judged, and by which rule: with priority it does not matter how busy others are, as they take what is left over. */
export type Measured = { readonly rounds: readonly Round[]; readonly rule: PerfRule };

/** What `comparePerf` judges; `crossCheck`: what people want to know besides, the capacity of both and what hey says. */
export async function measurePerf(
  request: PerfRequest & { readonly crossCheck: boolean },
  signal: AbortSignal,
): Promise<Measured> {
  const { perSecond, roundMs, say, warn } = request;
  const { often, rare } = loadOf(request.requests);
  await using priority = request.priority === 'usual' ? usualPriority() : await raisePriority();
  say(wordsOf(priority));
  say(limitsLine(request));
  const rule = priority.lacking === undefined ? { ...request.rule, othersMax: Number.POSITIVE_INFINITY } : request.rule;
  await using ground = await openGround(request, request, signal);
  requireMigrated(await lackOfMigration(ground, { ...request, live: request.before }, signal));
  await using before = await startVersion(
    ground,
    { images: request.before, variables: request.beforeEnv, lane: 'blue' },
    request,
    signal,
  );
  await using after = await startVersion(
    ground,
    { images: request.after, variables: undefined, lane: 'green' },
    request,
    signal,
  );
  const sides = { before: before.origin, after: after.origin };
  const lead = await priority.lead();
  const rounds = await measureRounds({ ...sides, often, rare, perSecond, roundMs, rule, say }, signal).finally(() =>
    lead[Symbol.asyncDispose](),
  );
  if (request.crossCheck) {
    say(await capacityLine(sides, { often, rare, perSecond }, rule, signal));
    const url = `${after.origin}${often[0]?.path ?? '/'}`;
    const { words, underDelivered } = await heyCheck(url, perSecond, signal);
    say(words);
    if (underDelivered !== undefined) warn(underDelivered);
  }
  return { rounds, rule };
}

function requireMigrated(lack: string | undefined): void {
  if (lack === undefined) return;
  throw new HeadgateError('STEP_FAILED', `Cannot compare versions as their migration failed: ${lack}`, {
    hint: 'mend the image or the command of `release.migrate`, or the tables that it changes',
  });
}

function limitsLine({ perSecond, rule: { msMax, tolerance, tolerance99 } }: PerfRequest): string {
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  return `limits at ${perSecond} requests/s: p50 ${msMax.p50} ms, p95 ${msMax.p95} ms, p99 ${msMax.p99} ms; ${percent(tolerance)} slower than the old one counts as equal, of p99 ${percent(tolerance99)}`;
}

function wordsOf({ lacking }: Priority): string {
  return lacking === undefined
    ? 'with real-time priority: others on this machine get what is left over'
    : `without real-time priority (${lacking}): rounds in which others are busy do not count`;
}

/** @throws {HeadgateError} `STEP_FAILED`, `PERF_UNDECIDED` */
export function requireNotSlower({ kind, why }: PerfVerdict): void {
  if (kind === 'notSlower') return;
  const words = why.join('; ');
  if (kind === 'slower') {
    throw new HeadgateError('STEP_FAILED', `Cannot release this version as it is slower than the live one: ${words}`, {
      hint: 'compare the two with `headgate perf`; `headgate logs perf` has all rounds',
    });
  }
  throw new HeadgateError('PERF_UNDECIDED', `Cannot tell whether this version is slower than the live one: ${words}`, {
    hint: 'run it again on a quieter machine',
  });
}

/** A verdict for people. */
export function verdictLines({ kind, why, ratios, rounds }: PerfVerdict): readonly string[] {
  const words = { notSlower: 'not slower', slower: 'slower', cannotTell: 'cannot tell' }[kind];
  const bounds = ratios.map(
    ({ what, low, mid, high }) =>
      `  ${what}: ${mid.toFixed(2)} times the old one, ${low.toFixed(2)} to ${high.toFixed(2)}`,
  );
  return [`${words}, from ${rounds.calm} calm of ${rounds.all} rounds: ${why.join('; ')}`, ...bounds];
}

/** Reads make up the load, the rest is rare; what is meant to be refused is left out. */
function loadOf(requests: readonly RecordedRequest[]): { often: readonly LoadRequest[]; rare: readonly LoadRequest[] } {
  const good = requests.filter(({ status }) => status < 300).map(asHttp);
  const often = good.filter(({ method }) => method === 'GET');
  const rare = good.filter(({ method }) => method !== 'GET');
  if (good.length > 0) return often.length > 0 ? { often, rare } : { often: rare, rare: [] };
  throw new HeadgateError('USAGE', 'Cannot compare versions as there must be a recorded request that succeeds', {
    hint: "write one into requests.json beside a service's package.json",
  });
}

function asHttp({ subject, query, body }: RecordedRequest): LoadRequest {
  const [method = '', ...path] = subject.split('.');
  return {
    method: method.toUpperCase() as Method, // Subjects begin with a method of HTTP.
    path: `/${path.join('/')}${query === '' ? '' : `?${query}`}`,
    body: body === undefined ? undefined : JSON.stringify(body),
  };
}

/** All services of one version in one lane, and where its HTTP service answers. */
async function startVersion(
  ground: Ground,
  { images, variables, lane }: { images: Images; variables: Variables | undefined; lane: Lane },
  { services, imageFolder }: PerfRequest,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly origin: string }> {
  const instances = new Map<string, Instance>();
  const stop = async () => {
    for (const instance of instances.values()) await instance[Symbol.asyncDispose]();
  };
  try {
    for (const [service, reference] of Object.entries(images).filter(([name]) => services[name] !== undefined)) {
      const image = await pullImage(reference, imageFolder, signal);
      instances.set(service, await startInstance(ground, { service, lane, image, variables: variables?.[service] }));
    }
    await Promise.all([...instances.values()].map((instance) => untilReady(instance, signal)));
    const entry = Object.keys(services).find((service) => services[service]?.port !== undefined);
    const origin = entry === undefined ? undefined : instances.get(entry)?.http;
    if (origin !== undefined) return { origin, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
  await stop();
  throw new HeadgateError('USAGE', 'Cannot compare versions as one service must take HTTP requests on a port', {
    hint: 'give the service that takes requests a `port` in headgate.yaml',
  });
}
