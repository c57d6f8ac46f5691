import type { Lane } from '../../lane.ts';

/** Labels and annotations by which everybody knows what belongs to which lane. */
export const marks = {
  app: 'headgate.dev/app',
  lane: 'headgate.dev/lane',
  service: 'headgate.dev/service',
  /** As a label the first digits, since a label has no room for all; as an annotation the whole id. */
  revision: 'headgate.dev/revision',
  /** The driver's number in the journal. */
  fence: 'headgate.dev/fence',
  /** A label: live, candidate, warm, adopting or idle. */
  role: 'headgate.dev/role',
  /** A label: the release that brought the revision. */
  release: 'headgate.dev/release',
  commit: 'headgate.dev/commit',
  /** All services of the revision, so that a lane is known to have it only when each of them has. */
  services: 'headgate.dev/services',
  /** Path of the synthetic request, on a proxy's pods. */
  probe: 'headgate.dev/probe',
  /** What an autoscaler's owner allows, and what Headgate made of it: `<minimum>-<maximum> <minimum>-<maximum>`. */
  autoscale: 'headgate.dev/autoscale',
} as const;

export const managedBy = { 'app.kubernetes.io/managed-by': 'headgate' };

/** Stands for the lane in what both lanes share. */
type LaneSign = '$(LANE)';

/** The same for one lane: its name in place of each sign. Names of lanes need no quoting in JSON. */
export function forLane<T>(shared: T, lane: Lane): T {
  return JSON.parse(JSON.stringify(shared).replaceAll('$(LANE)', lane));
}

/** Of the Deployment, PodDisruptionBudget and NetworkPolicy of one service in one lane. */
export function laneObjectName(app: string, lane: Lane | LaneSign, service: string): string {
  return `${app}-${lane}-${service}`;
}

export function laneLabels(app: string, lane: Lane | LaneSign, service?: string): Readonly<Record<string, string>> {
  return { [marks.app]: app, [marks.lane]: lane, ...(service !== undefined && { [marks.service]: service }) };
}

/** As in `kubectl -l`. */
export function laneSelector(app: string, lane: Lane): string {
  return Object.entries(laneLabels(app, lane))
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** Of the lanes' Services, whatever port the pods have. */
export const servicePort = 80;

/** Ports of a lane's pods. The admin port gives way to a proxy that uses its number. */
export function adminPortBeside(port: number | undefined): number {
  return port === 9090 ? 9091 : 9090;
}
