import type { Lane } from '../lane.ts';
import type { Revision, ServiceTemplate } from '../revision.ts';

export type Seat = {
  readonly app: string;
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
  const names: Record<string, string> =
    template.port === undefined
      ? { SERVICE_STREAM_NAME: `${app}-${lane}`, SERVICE_CONSUMER_NAME: `${app}-${lane}-${service}` }
      : { SUBJECT_PREFIX: `${app}-${lane}` };
  const written = Object.entries(template.env).map(([name, value]) => [name, value.replaceAll('$(LANE)', lane)]);
  return {
    NATS_URL: servers.nats,
    ...(servers.database === undefined ? {} : { DATABASE_URL: servers.database }),
    ...names,
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
