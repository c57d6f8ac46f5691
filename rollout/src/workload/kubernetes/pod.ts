/** The pod of a lane: what its service's own manifests say, our defaults under it, and what it must have over it. */

import { environmentOf, type Seat } from '../../platform/environment.ts';
import { adminPortBeside, forLane, laneLabels, marks } from '../../platform/kubernetes/lane-names.ts';
import type { PodTemplate } from '../../revision.ts';
import { shortRevision } from './labels.ts';

type Json = Readonly<Record<string, unknown>>;
type EnvVar = { readonly name: string; readonly value?: string; readonly valueFrom?: Json };
type Container = Json & { readonly name: string; readonly env?: readonly EnvVar[] };

/** So long a proxy still takes requests after its end was asked for: until then every gateway has heard of it. */
const drainSeconds = 3;
/** The default HTTP timeout and 5 s more: a proxy finishes what is in flight. */
export const proxyGraceSeconds = 10 + drainSeconds;
export const workerGraceSeconds = 5;
/** Who a process is and where it listens. */
const platformsOwn = /^(HEADGATE_.*|PORT|ADMIN_PORT|HOST)$/;

export function podTemplateOf(seat: Seat, natsUrl: string | undefined): PodTemplate {
  const written = forLane(seat.template.podTemplate ?? {}, seat.lane);
  const containers = (written.spec?.containers ?? []) as readonly Container[];
  const main = containers.find(({ name }) => name === seat.service) ?? containers[0] ?? { name: seat.service };
  const others = containers.filter((container) => container !== main);
  return {
    metadata: {
      labels: { ...written.metadata?.labels, ...labelsOf(seat) },
      annotations: { ...written.metadata?.annotations, ...annotationsOf(seat) },
    },
    spec: {
      ...under(podDefaults(seat), written.spec ?? {}),
      containers: [containerOf(seat, main, natsUrl), ...others],
    },
  };
}

function labelsOf({ app, lane, service, revision }: Seat): Readonly<Record<string, string>> {
  return { ...laneLabels(app, lane, service), [marks.revision]: shortRevision(revision.id) };
}

function annotationsOf({ revision, template }: Seat): Readonly<Record<string, string>> {
  return { [marks.revision]: revision.id, ...(template.probe !== undefined && { [marks.probe]: template.probe }) };
}

function podDefaults({ app, lane, service, template }: Seat): Json {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: template.port === undefined ? workerGraceSeconds : proxyGraceSeconds,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: laneLabels(app, lane, service) },
      },
    ],
  };
}

function containerOf(seat: Seat, written: Container, natsUrl: string | undefined): Container {
  const { port } = seat.template;
  const admin = adminPortBeside(port);
  const { repositories, digests } = seat.revision;
  const ports = [
    ...(port === undefined ? [] : [{ name: 'http', containerPort: port }]),
    { name: 'admin', containerPort: admin },
  ];
  const names = new Set(ports.map(({ name }) => name));
  const more = (written['ports'] as readonly { readonly name?: string }[] | undefined) ?? []; // As the API has it.
  return {
    ...under(containerDefaults(seat), written),
    name: written.name,
    image: `${repositories[seat.service]}@${digests[seat.service]}`,
    ports: [...ports, ...more.filter(({ name }) => !names.has(name ?? ''))],
    env: environment(seat, written.env ?? [], { natsUrl, admin }),
  };
}

function containerDefaults({ template }: Seat): Json {
  const ask = (path: string) => ({ httpGet: { path, port: 'admin' } });
  return {
    imagePullPolicy: 'IfNotPresent',
    readinessProbe: { ...ask('/readyz'), periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2 },
    livenessProbe: { ...ask('/healthz'), initialDelaySeconds: 30, periodSeconds: 10, timeoutSeconds: 2 },
    ...(template.port !== undefined && { lifecycle: { preStop: { sleep: { seconds: drainSeconds } } } }),
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

/** headgate.yaml speaks before the manifests, the manifests before our names and addresses; who it is says the platform alone. */
function environment(
  seat: Seat,
  manifests: readonly EnvVar[],
  { natsUrl, admin }: { readonly natsUrl: string | undefined; readonly admin: number },
): readonly EnvVar[] {
  const ports = { host: '0.0.0.0', port: seat.template.port ?? 0, adminPort: admin };
  const given = environmentOf(seat, { nats: natsUrl ?? '', database: undefined }, ports);
  const kept = manifests.filter(({ name }) => !platformsOwn.test(name) && !(name in seat.template.env));
  const taken = new Set(kept.map(({ name }) => name));
  if (natsUrl === undefined && !('NATS_URL' in seat.template.env)) taken.add('NATS_URL');
  return [
    ...Object.entries(given)
      .filter(([name]) => !taken.has(name))
      .map(([name, value]) => ({ name, value: literal(value) })),
    ...kept,
  ];
}

/** Kubernetes would put other variables in place of `$(NAME)`, which no other platform does. */
function literal(value: string): string {
  return value.replaceAll('$', '$$$$');
}

/** Defaults, and over them what is written: maps key by key, everything else whole. */
function under(defaults: Json, written: Json): Json {
  const keys = [...new Set([...Object.keys(defaults), ...Object.keys(written)])];
  return Object.fromEntries(keys.map((key) => [key, chosen(key, defaults[key], written[key])]));
}

/** A probe or an end of another kind has nothing of the default one: two kinds at once would be refused. */
const whole = /^(readinessProbe|livenessProbe|startupProbe|lifecycle)$/;

function chosen(key: string, byDefault: unknown, written: unknown): unknown {
  if (written === undefined) return byDefault;
  return isMap(byDefault) && isMap(written) && !whole.test(key) ? under(byDefault, written) : written;
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
