/** What both lanes of an app have for ever, as objects of the cluster. */
import { type Lane, lanes } from '../../lane.ts';
import type { ServiceSpec } from '../../spec.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import type { KubeObject } from './client.ts';
import { type Kind, kinds } from './kinds.ts';
import { type Manifests, manifestObjects } from './lane-manifests.ts';
import { adminPortBeside, laneLabels, laneObjectName, managedBy, servicePort } from './lane-names.ts';

/** What Headgate says of the object; whatever else is in it is the cluster's or the user's. */
export type Described = KubeObject & { readonly spec: Readonly<Record<string, unknown>> };

/** `made` is what it begins as, `kept` what stays so: releases change the rest. */
export type LaneObject = {
  readonly kind: Kind;
  readonly name: string;
  readonly made: Described;
  readonly kept: Described;
};

export type LaneServicesOf = Readonly<Record<string, Pick<ServiceSpec, 'port'>>>;

type Seat = { readonly app: string; readonly lane: Lane; readonly service: string };

export type LanesTarget = {
  readonly app: string;
  readonly services: LaneServicesOf;
  readonly manifests: Manifests;
};

/** @throws {HeadgateError} `MANIFESTS_INVALID` */
export function describeLanes({ app, services, manifests }: LanesTarget): readonly LaneObject[] {
  return lanes.flatMap((lane) =>
    Object.entries(services).flatMap(([service, { port }]) => {
      const seat = { app, lane, service };
      const own = manifestObjects(seat, manifests[service] ?? []);
      // Two budgets for one pod would let nobody evict it.
      const byDefault = [budget(seat), policy(seat, port)].filter(({ kind }) => !own.some((one) => one.kind === kind));
      return [...(port === undefined ? [] : bothServices(seat)), deployment(seat), ...byDefault, ...own];
    }),
  );
}

/** Two Services with the same pods, so that requests by weight and by pin are counted apart. */
function bothServices(seat: Seat): readonly LaneObject[] {
  const { weighted, pinned } = laneServices(seat.app);
  return [weighted[seat.lane], pinned[seat.lane]].map((name) =>
    always(kinds.Service, {
      metadata: metadataOf(name, seat),
      spec: {
        type: 'ClusterIP',
        selector: laneLabels(seat.app, seat.lane, seat.service),
        ports: [{ name: 'http', port: servicePort, targetPort: 'http', protocol: 'TCP' }],
      },
    }),
  );
}

function deployment(seat: Seat): LaneObject {
  const made = newDeployment(seat);
  const { selector, strategy } = made.spec;
  return { kind: kinds.Deployment, name: made.metadata.name, made, kept: { ...made, spec: { selector, strategy } } };
}

/** At zero, with an image that nobody can have: what it runs, the first release says. */
export function newDeployment(seat: Seat): Described {
  const labels = laneLabels(seat.app, seat.lane, seat.service);
  return {
    metadata: metadataOf(laneObjectName(seat.app, seat.lane, seat.service), seat),
    spec: {
      replicas: 0,
      revisionHistoryLimit: 3,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: seat.service, image: 'headgate.invalid/never-released' }] },
      },
    },
  };
}

/** A drained node takes one pod of a service after the other; pods that are not ready hold no node. */
function budget(seat: Seat): LaneObject {
  return always(kinds.PodDisruptionBudget, {
    metadata: metadataOf(laneObjectName(seat.app, seat.lane, seat.service), seat),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: laneLabels(seat.app, seat.lane, seat.service) },
    },
  });
}

/** HTTP for proxies, health and metrics for all; nothing else comes in. Where pods may go is left to the user's own policies. */
function policy(seat: Seat, port: number | undefined): LaneObject {
  const open = [...(port === undefined ? [] : [port]), adminPortBeside(port)];
  return always(kinds.NetworkPolicy, {
    metadata: metadataOf(laneObjectName(seat.app, seat.lane, seat.service), seat),
    spec: {
      podSelector: { matchLabels: laneLabels(seat.app, seat.lane, seat.service) },
      policyTypes: ['Ingress'],
      ingress: [{ ports: open.map((each) => ({ protocol: 'TCP', port: each })) }],
    },
  });
}

function always(kind: Kind, object: Described): LaneObject {
  return { kind, name: object.metadata.name, made: object, kept: object };
}

function metadataOf(name: string, { app, lane, service }: Seat): KubeObject['metadata'] {
  return { name, labels: { ...managedBy, ...laneLabels(app, lane, service) } };
}
