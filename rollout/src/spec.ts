import { invariant } from './errors.ts';
import type { Marker } from './pin.ts';
import type { Source, SpecIssue } from './spec/issues.ts';
import { issuesOf, startOf } from './spec/issues.ts';
import { readOne } from './spec/layers.ts';
import { normalize } from './spec/normalize.ts';
import { readEnvironments } from './spec/parse.ts';
import type { Finding, Node } from './spec/source.ts';
import { moved, nodeAt, readTree } from './spec/source.ts';
import type { Read, SpecValue } from './spec/values.ts';
import { valuesOf } from './spec/values.ts';

export type { SpecIssue } from './spec/issues.ts';
export { formatIssues } from './spec/issues.ts';
export type { SpecValue } from './spec/values.ts';

/** headgate.yaml as the rest of Headgate knows it: nothing optional, units in the names. */
export type Spec = {
  readonly app: string;
  readonly services: Readonly<Record<string, ServiceSpec>>;
  /** `undefined`: plain HTTP, no queue. */
  readonly queue: QueueSpec | undefined;
  /** `undefined`: the local platform. */
  readonly kubernetes: KubernetesSpec | undefined;
  /** What stands beside the app and no release touches: databases, brokers, collectors. */
  readonly infra: Readonly<Record<string, InfraSpec>>;
  /** Folder of the frontend's Kubernetes manifests; `undefined`: it is none of ours. */
  readonly frontend: string | undefined;
  /** Image under those of all services, pinned by digest; `undefined`: one is made of this machine's Node. */
  readonly baseImage: string | undefined;
  readonly release: ReleaseSpec;
  readonly perf: PerfSpec;
  /** Names of those who may let a delivery go on to its release; empty: nobody is asked. */
  readonly approvers: readonly string[];
  /** Hears how each delivery and release ended; `undefined`: nobody does. */
  readonly webhook: string | undefined;
};

export type ServiceSpec = {
  /** Folder of the source, relative to headgate.yaml. */
  readonly source: string;
  /** `undefined` for a worker. */
  readonly port: number | undefined;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** What a worker pulls, as `method.token`; empty: plain HTTP. */
  readonly pulls: readonly string[];
  /** Path of the synthetic request of the start checks (`/` unless written); `undefined` for a worker. */
  readonly probe: string | undefined;
  /** Folder of Kubernetes manifests, or `undefined`. */
  readonly manifests: string | undefined;
};

/**
 * What becomes of the messages that a rolled back version left in its lane. `bind`: live's workers, which follow their source list, work
 * them off. `redeploy`: workers of live's revision do, put into that lane in place of its own. `answer`: nobody does, as no other version
 * can read them; each goes to the dead letters and its client hears 503.
 */
export type Adoption = 'bind' | 'redeploy' | 'answer';

export type QueueSpec = {
  readonly url: string;
  readonly adopt: Adoption;
  /** `undefined`: both lanes have streams that bootstrap makes. */
  readonly existing: ExistingQueue | undefined;
};

/** Stream and consumers of a system that ran before Headgate, on subjects without a prefix. Lane blue has them instead of its own. */
export type ExistingQueue = {
  readonly stream: string;
  /** The durable of each service that pulls. */
  readonly consumers: Readonly<Record<string, string>>;
};

export type KubernetesSpec = {
  readonly namespace: string;
  readonly traffic: {
    readonly kind: 'gateway-api' | 'ingress-nginx';
    readonly route: string;
    readonly replicas: ReplicasPlace;
  };
  readonly driver: 'controller' | 'cli';
};

/** `namespace` `undefined`: the app's own. */
export type InfraSpec = { readonly manifests: string; readonly namespace: string | undefined };

/** The Service whose endpoints are all replicas of the router: each is asked what it really does. Ports are named. */
export type ReplicasPlace = {
  readonly namespace: string;
  readonly service: string;
  /** Where users' requests come in. */
  readonly listener: string;
  /** Where the replica tells its counters; `undefined`: nobody knows how to read them, and the lanes' proxies count. */
  readonly metrics: string | undefined;
};

/** `rolling`: into the live lane itself, without a candidate. */
export type Strategy = 'canary' | 'blue-green' | 'ab' | 'rolling';
export type Tolerance = 'strict' | 'default' | 'relaxed';

/** What latencies may do: roll back, and be waited for before promotion; roll back only; nothing. */
export type LatencyPart = 'promote' | 'rollback' | 'off';

/** A metric of the user's own, judged beside Headgate's. In addresses and queries `$(LANE)` stands for the lane. */
export type MetricSpec = {
  /** Shown, not counted. */
  readonly dryRun: boolean;
} & (
  | { readonly kind: 'failures'; readonly from: CountsFrom; readonly tolerate: Tolerance }
  /** A static limit: it has no error rate. `looks`: so many readings running beyond it roll back. */
  | {
      readonly kind: 'limit';
      readonly from: ValueFrom;
      readonly min: number | undefined;
      readonly max: number | undefined;
      readonly looks: number;
    }
);

type Webhook = { readonly kind: 'webhook'; readonly url: string };

/** `failures` and `total`: selectors of counters. */
export type CountsFrom =
  | { readonly kind: 'prometheus'; readonly url: string; readonly failures: string; readonly total: string }
  | Webhook;

export type ValueFrom = { readonly kind: 'prometheus'; readonly url: string; readonly value: string } | Webhook;

/** Paths that anybody may GET as often as they like, and how many a second each lane gets. */
export type SyntheticSpec = { readonly requests: readonly string[]; readonly perSec: number };

/** `image`: pinned by digest. */
export type MigrateSpec = { readonly image: string; readonly command: readonly string[] };

export type ReleaseSpec = {
  readonly strategy: Strategy;
  /** Candidate's weights before promotion, whole percent, rising; empty but for a canary. */
  readonly steps: readonly number[];
  /** What the A/B test sends to the candidate; empty but for `ab`. */
  readonly pins: readonly Marker[];
  readonly bakeMs: number;
  readonly tolerate: Tolerance;
  readonly latency: LatencyPart;
  readonly metrics: Readonly<Record<string, MetricSpec>>;
  /** `undefined`: none are sent beside users' requests. */
  readonly synthetic: SyntheticSpec | undefined;
  readonly deadlineMs: number;
  readonly atDeadline: 'hold' | 'rollback';
  readonly watchMs: number;
  readonly keepWarmMs: number;
  readonly onNewCommit: 'wait' | 'supersede';
  readonly approve: boolean;
  /** How long the candidate's long connections may outlive its weight on the way back. */
  readonly connectionGraceMs: number;
  /** What must be done to the data before the candidate starts; `undefined`: nothing. */
  readonly migrate: MigrateSpec | undefined;
};

/** By which the performance gate passes a version beside the live one. */
export type PerfSpec = {
  /** At most so slow, in ms. */
  readonly msMax: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** Requests that are sent. */
  readonly perSec: number;
  /** So much slower than live counts as equal; of p99, which swings more, the second. */
  readonly tolerancePercent: number;
  readonly tolerance99Percent: number;
};

export type ParsedSpec =
  | { readonly kind: 'spec'; readonly spec: Spec; readonly values: readonly SpecValue[] }
  /** All that is wrong, in the order of the file; at least one. */
  | { readonly kind: 'issues'; readonly issues: readonly SpecIssue[] };

/**
 * headgate.yaml in three steps: parse (shape), rules (meaning), normalize (defaults). Never throws for what is written.
 * Every environment of the file is checked, because the one for production is rarely the one on the screen.
 *
 * @param options `file` is the name in the issues; `environment` is merged over the rest: maps key by key, lists whole; and `local` over both.
 */
export function parseSpec(
  text: string,
  options: { readonly file: string; readonly environment?: string; readonly local?: Source | undefined },
): ParsedSpec {
  const { file, environment, local } = options;
  const findings: Finding[] = [];
  const sources = [{ file, text }, ...(local === undefined ? [] : [local])];
  const trees = sources.map((source, i) => {
    const by = startOf(i, sources);
    const tree = readTree(source.text, (finding) => findings.push({ ...finding, at: finding.at + by }));
    return tree && moved(tree, by);
  });
  const [tree, over] = trees;
  const read = tree && readAll(tree, { chosen: environment, local: over }, findings);
  if (findings.length > 0) return { kind: 'issues', issues: issuesOf(findings, sources) };
  invariant(read !== undefined, 'Cannot read a spec as nothing was found wrong and nothing was read');
  const spec = normalize(read.written);
  return { kind: 'spec', spec, values: valuesOf(read, { spec, environment, sources }) };
}

type Chosen = { readonly chosen: string | undefined; readonly local: Node | undefined };

/** Reads what each environment makes of the file, and gives back the chosen one. */
function readAll(tree: Node, { chosen, local }: Chosen, findings: Finding[]): Read | undefined {
  const { base, environments } = splitEnvironments(tree, findings);
  if (chosen !== undefined && !environments.has(chosen)) {
    const known = [...environments.keys()].join(', ') || 'none';
    const rule = `must have the environment that is asked for, ${JSON.stringify(chosen)}`;
    findings.push({ path: ['environments'], rule, at: nodeAt(tree, ['environments']).node.place.keyAt, value: known });
  }
  // Alone, the rest of the file need not be whole when an environment is chosen: that one may bring what it lacks.
  const plain = chosen === undefined ? readOne({ base, local }, findings) : undefined;
  const merged = new Map([...environments].map(([name, over]) => [name, readOne({ base, over, local }, findings)]));
  return chosen === undefined ? plain : merged.get(chosen);
}

function splitEnvironments(tree: Node, findings: Finding[]): { base: Node; environments: ReadonlyMap<string, Node> } {
  const none = new Map<string, Node>();
  if (tree.kind !== 'map') return { base: tree, environments: none };
  const entries = new Map(tree.entries);
  const environments = entries.get('environments');
  entries.delete('environments');
  const base: Node = { ...tree, entries };
  if (environments === undefined) return { base, environments: none };
  const read = readEnvironments(environments, ['environments'], (finding) => findings.push(finding));
  return { base, environments: read ?? none };
}
