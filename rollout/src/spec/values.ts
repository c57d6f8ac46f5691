/** What is in force, in the words of the file, and who says so. */
import type { Spec } from '../spec.ts';
import { formatPath, lineAt, type Source } from './issues.ts';
import type { WrittenSpec } from './parse.ts';
import type { Node, Path } from './source.ts';

/** One value of headgate.yaml, with its place; without one it is a default. */
export type SpecValue = {
  /** As `release.steps`. */
  readonly path: string;
  readonly value: string;
  readonly from: ValuePlace | undefined;
};

export type ValuePlace = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The one that it was taken from; `undefined` for none. */
  readonly environment: string | undefined;
};

/** What was read, merged, and the environment that went into it. */
export type Read = { readonly written: WrittenSpec; readonly tree: Node; readonly over: Node | undefined };

type Around = { readonly spec: Spec; readonly environment: string | undefined; readonly sources: readonly Source[] };

/** Written ones in the order of the file, then the defaults. */
export function valuesOf({ tree, over }: Read, { spec, environment, sources }: Around): readonly SpecValue[] {
  const ofEnvironment = new Set(over === undefined ? [] : leavesOf(over, []).map(({ node }) => node));
  const written = leavesOf(tree, []).map(({ path, node }) => {
    const { file, line } = lineAt(node.place.at, sources);
    const from = { file, line, environment: ofEnvironment.has(node) ? environment : undefined };
    return { path: formatPath(path), value: textOf(node), from };
  });
  const known = new Set(written.map(({ path }) => path));
  return [...written, ...defaultsOf(spec).filter(({ path }) => !known.has(path))];
}

type Leaf = { readonly path: Path; readonly node: Node };

/** A list is one value, as it is replaced whole. */
function leavesOf(node: Node, path: Path): readonly Leaf[] {
  if (node.kind !== 'map' || node.entries.size === 0) return [{ path, node }];
  return [...node.entries].flatMap(([key, child]) => leavesOf(child, [...path, key]));
}

function textOf(node: Node): string {
  if (node.kind === 'scalar') return node.text;
  return node.kind === 'list' ? `[${node.items.map(textOf).join(', ')}]` : '{}';
}

/** All that may be left out and then means something. */
function defaultsOf({ services, queue, kubernetes, release, perf }: Spec): readonly SpecValue[] {
  const { replicas } = kubernetes?.traffic ?? {};
  const all: readonly (readonly [path: string, value: string | number | boolean | undefined])[] = [
    ...Object.entries(services).flatMap(([name, service]) => [
      [`services.${name}.replicas`, service.replicas] as const,
      [`services.${name}.probe`, service.probe] as const,
    ]),
    ['queue.adopt', queue?.adopt],
    ['kubernetes.driver', kubernetes?.driver],
    ['kubernetes.traffic.replicas.namespace', replicas?.namespace],
    ['kubernetes.traffic.replicas.listener', replicas?.listener],
    ['kubernetes.traffic.replicas.metrics', replicas?.metrics],
    ['release.strategy', release.strategy],
    ['release.steps', `[${release.steps.map((step) => `${step}%`).join(', ')}]`],
    ['release.bake', span(release.bakeMs)],
    ['release.tolerate', release.tolerate],
    ['release.latency', release.latency],
    ['release.deadline', span(release.deadlineMs)],
    ['release.atDeadline', release.atDeadline],
    ['release.watch', span(release.watchMs)],
    ['release.keepWarm', span(release.keepWarmMs)],
    ['release.onNewCommit', release.onNewCommit],
    ['release.approve', release.approve],
    ['release.connectionGrace', span(release.connectionGraceMs)],
    ['release.synthetic.perSecond', release.synthetic?.perSec],
    ...Object.entries(perf.msMax).map(([name, ms]) => [`perf.${name}`, span(ms)] as const),
    ['perf.perSecond', perf.perSec],
    ['perf.tolerance', `${perf.tolerancePercent}%`],
    ['perf.tolerance99', `${perf.tolerance99Percent}%`],
  ];
  return all.flatMap(([path, value]) => (value === undefined ? [] : [{ path, value: String(value), from: undefined }]));
}

/** As it is written: 90000 is 90s. */
function span(ms: number): string {
  if (ms % 1_000 !== 0) return `${ms}ms`;
  const [size, unit] = ms % 3_600_000 === 0 ? [3_600_000, 'h'] : ms % 60_000 === 0 ? [60_000, 'm'] : [1_000, 's'];
  return `${ms / Number(size)}${unit}`;
}
