import { type Lane, otherLane } from '../lane.ts';
import { consumerName, type QueueApp, streamName, subjectPrefix } from '../queue/names.ts';
import type { Revision, ServiceTemplate } from '../revision.ts';

export type Seat = QueueApp & {
  readonly lane: Lane;
  readonly service: string;
  readonly revision: Revision;
  readonly template: ServiceTemplate;
};

/** Where a lane process finds the servers that its platform knows. */
export type ServerUrls = { readonly nats: string; readonly database: string | undefined };

/** Where it listens. 0 for a worker's `port`. */
export type Ports = { readonly host: string; readonly port: number; readonly adminPort: number };

/**
 * What a lane process is told. Names on the queue and the servers' addresses are defaults that the template may replace; who the
 * process is and where it listens is not the template's to say.
 */
export function environmentOf(seat: Seat, servers: ServerUrls, ports: Ports): Record<string, string> {
  const { app, lane, service, revision, template } = seat;
  const written = Object.entries(template.env).map(([name, value]) => [name, value.replaceAll('$(LANE)', lane)]);
  return {
    NATS_URL: servers.nats,
    ...(servers.database === undefined ? {} : { DATABASE_URL: servers.database }),
    ...namesFor(seat),
    ...Object.fromEntries(written),
    ...(template.port === undefined ? {} : { PORT: String(ports.port) }),
    ADMIN_PORT: String(ports.adminPort),
    HOST: ports.host,
    HEADGATE_APP: app,
    HEADGATE_LANE: lane,
    HEADGATE_SERVICE: service,
    HEADGATE_REVISION: revision.id,
  };
}

/** A worker is told where the other lane's work lies only where it could not know. */
function namesFor(seat: Seat): Readonly<Record<string, string>> {
  const { lane, service, template, existing } = seat;
  if (template.port !== undefined) return { SUBJECT_PREFIX: subjectPrefix(seat, lane) };
  const other = otherLane(lane);
  return {
    SERVICE_STREAM_NAME: streamName(seat, lane),
    SERVICE_CONSUMER_NAME: consumerName(seat, lane, service),
    ...(existing !== undefined && {
      OTHER_STREAM_NAME: streamName(seat, other),
      OTHER_CONSUMER_NAME: consumerName(seat, other, service),
    }),
  };
}
