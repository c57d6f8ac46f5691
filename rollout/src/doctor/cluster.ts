/** What was found in a cluster against what an app's lanes need. Nothing here asks anybody. */

import type { KubeObject } from '../platform/kubernetes/client.ts';
import type { LaneChange } from '../platform/kubernetes/lanes.ts';
import type { Spec } from '../spec.ts';
import { readRoute } from '../traffic/gateway-api/route.ts';
import type { HttpRoute } from '../traffic/http-route.ts';
import { laneServices } from '../traffic/lane-services.ts';
import { fieldManager } from '../traffic/writer.ts';
import { autoscalers, budgets, leftOver, waysAround } from './beside.ts';
import { counters, type Uncounted } from './counters.ts';
import { type Finding, hint, missing } from './finding.ts';
import { samePlace } from './same-place.ts';

export type ClusterFacts = {
  /** Of the API server, `1.36`. */
  readonly version: string;
  /** What this user lacks of the role that the command line needs. */
  readonly role: string;
  readonly lacking: readonly string[];
  /** Ready controllers of the namespace; `undefined`: not seen. */
  readonly controllers: number | undefined;
  readonly lanes: readonly LaneChange[];
  /** What `bootstrap` makes of the lanes, each as `Kind name`; `undefined`: nobody knows while manifests are unsound. */
  readonly standing: readonly string[] | undefined;
  /** `undefined`: this user may not see it. */
  readonly route: RouteFacts | undefined;
  /** HTTPRoutes of the namespace; none with another router. */
  readonly routes: readonly KubeObject[];
  /** Of the router; `undefined`: this user may not see them. */
  readonly replicas: number | undefined;
  /** Those of its replicas by which nobody can count; none with another router than the Gateway API's. */
  readonly uncounted: readonly Uncounted[];
  readonly services: readonly KubeObject[];
  /** Labels that the services' own manifests give their pods. */
  readonly podLabels: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly budgets: readonly KubeObject[];
  readonly autoscalers: readonly KubeObject[];
  readonly queue: QueueFacts;
  /** What this user may not see, in the words of the refusal. */
  readonly unseen: readonly string[];
};

export type RouteFacts = {
  readonly named: string;
  readonly object: KubeObject | undefined;
  /** Who wrote its rules last. */
  readonly writer: string | undefined;
};

export type QueueFacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'unasked'; readonly why: string }
  | {
      readonly kind: 'asked';
      /** Streams and consumers that bootstrap would make or extend, or must leave to a person. */
      readonly unlike: readonly string[];
      /** Streams of others that take what the workers pull. */
      readonly foreign: readonly { readonly stream: string; readonly subject: string }[];
    };

const oldest = [1, 29];

const checks: readonly ((facts: ClusterFacts, spec: Spec) => readonly Finding[])[] = [
  age,
  rights,
  driver,
  lanesAsMade,
  route,
  samePlace,
  replicas,
  counters,
  waysAround,
  budgets,
  autoscalers,
  leftOver,
  queue,
  unseen,
];

export function checkCluster(spec: Spec, facts: ClusterFacts): readonly Finding[] {
  return checks.flatMap((check) => check(facts, spec));
}

function age({ version }: ClusterFacts): readonly Finding[] {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < (oldest[0] ?? 0) || (major === oldest[0] && minor < (oldest[1] ?? 0));
  return isOld
    ? [
        missing(
          'the cluster',
          `must be Kubernetes ${oldest.join('.')} or newer: current value is "${version}"`,
          'use a newer cluster',
        ),
      ]
    : [];
}

function rights({ role, lacking }: ClusterFacts): readonly Finding[] {
  if (lacking.length === 0) return [];
  const said = `this user must hold what Role ${role} holds, and may not ${lacking.slice(0, 5).join(', ')}${lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''}`;
  return [
    missing(
      'the rights of this user',
      said,
      `kubectl create rolebinding <name> --role ${role} --user <user>, after \`headgate bootstrap\``,
    ),
  ];
}

function driver({ controllers }: ClusterFacts, { kubernetes }: Spec): readonly Finding[] {
  if (controllers !== 0 || kubernetes?.driver !== 'controller') return [];
  const cure = `kubectl apply -n ${kubernetes.namespace} -k rollout/deploy/overlays/prod, or write driver: cli`;
  return [missing('the controller', 'must run in the namespace of the app, or orders wait for ever', cure)];
}

function lanesAsMade({ lanes: changes }: ClusterFacts): readonly Finding[] {
  const absent = changes
    .filter(({ kind }) => kind === 'make')
    .map(({ object }) => `${object.kind.kind} ${object.name}`);
  return [
    ...(absent.length === 0
      ? []
      : [missing('the lanes', `must have ${absent.join(', ')}`, 'run `headgate bootstrap`')]),
    ...changes.flatMap((change) => (change.kind === 'make' ? [] : [unlike(change)])),
  ];
}

function unlike({ kind, object, differences }: Exclude<LaneChange, { kind: 'make' }>): Finding {
  const fields = differences.map(
    ({ field, wanted, current }) =>
      `${field} must be ${JSON.stringify(wanted)}: current value is "${JSON.stringify(current) ?? 'absent'}"`,
  );
  const cure = {
    set: 'run `headgate bootstrap` while no release runs',
    refuse: 'rename or delete it: it belongs to somebody else, or must be made anew',
  }[kind];
  return missing(`${object.kind.kind} ${object.name}`, fields.join('; '), cure);
}

function route({ route: seen }: ClusterFacts, spec: Spec): readonly Finding[] {
  if (seen === undefined) return [];
  const { named, object, writer } = seen;
  if (object === undefined) return [missing(named, 'is not there', 'run `headgate bootstrap`')];
  const place = placeForLanes(named, object, spec);
  if (writer === undefined || writer === fieldManager) return place;
  return [
    ...place,
    missing(
      named,
      `its rules must be written by Headgate alone: current value is "${writer}"`,
      `let ${writer} ignore them, as below`,
    ),
  ];
}

/** A route of the user's own has none until somebody gives them one. */
function placeForLanes(named: string, object: KubeObject, { app, kubernetes }: Spec): readonly Finding[] {
  if (kubernetes?.traffic.kind !== 'gateway-api') return [];
  const read = readRoute(object as KubeObject & HttpRoute, { app, services: laneServices(app) });
  if (read.kind !== 'unfit') return [];
  return [missing(named, read.why, 'give them to a rule, with weight 0 until there is a release')];
}

function replicas({ replicas: found }: ClusterFacts, { kubernetes }: Spec): readonly Finding[] {
  if (found !== 0 || kubernetes === undefined) return [];
  const { namespace, service, listener, metrics } = kubernetes.traffic.replicas;
  const ports = metrics === undefined ? `a port named ${listener}` : `ports named ${listener} and ${metrics}`;
  const said = `must have endpoints with ${ports}, as a weight counts when each replica has it`;
  return [missing(`Service ${namespace}/${service}`, said, 'name the router under kubernetes.traffic.replicas')];
}

function queue({ queue: facts }: ClusterFacts): readonly Finding[] {
  switch (facts.kind) {
    case 'none':
      return [];
    case 'unasked':
      return [
        hint(
          'the queue',
          `could not be asked from here: ${facts.why}`,
          'run `headgate doctor` where NATS can be reached',
        ),
      ];
    case 'asked':
      return [
        ...facts.unlike.map((said) => missing('the queue', said, 'run `headgate bootstrap`')),
        ...facts.foreign.map(({ stream, subject }) =>
          missing(
            `stream ${stream}`,
            `takes ${subject}, which the workers pull: what is published there past the proxies reaches no lane`,
            'let its publishers call the route, or map the subject into both lanes by weight (docs.nats.io, subject mapping)',
          ),
        ),
      ];
  }
}

function unseen({ unseen: refusals }: ClusterFacts, { app }: Spec): readonly Finding[] {
  return refusals.map((said) =>
    hint('the cluster', said, `run \`headgate doctor\` as somebody who holds Role headgate-${app}-bootstrap`),
  );
}
