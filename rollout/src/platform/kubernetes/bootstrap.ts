import { bootstrap } from '../../queue/bootstrap.ts';
import { openConnection } from '../../queue/connection.ts';
import type { Spec } from '../../spec.ts';
import { newRoute } from '../../traffic/gateway-api-new-route.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import type { KubeClient } from './client.ts';
import { kinds } from './kinds.ts';
import { servicePort } from './lane-names.ts';
import { bootstrapLanes } from './lanes.ts';
import { queueAddress } from './queue-address.ts';
import { gatewayRole, type Role, rolesOf } from './roles.ts';

/** What no headgate.yaml says, as it is asked only once: where users come in. */
export type Entrance = {
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** None: any host. */
  readonly hosts: readonly string[];
  /** Prefixes of the paths that go to the lanes. */
  readonly paths: readonly string[];
};

/**
 * Makes what stands for ever: both lanes, the route to them, streams and consumers. What is there stays as it is.
 * @returns one sentence for each thing that was made; none when all was there
 * @throws {HeadgateError} `QUEUE_CONFIG_DIFFERS`, `QUEUE_UNREACHABLE`, `CLUSTER_REFUSED`, `CLUSTER_UNREACHABLE`
 */
export async function bootstrapCluster(
  spec: Spec,
  client: KubeClient,
  entrance: Entrance,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return [
    ...(await bootstrapLanes(client, spec, signal)).map(
      ({ kind, object }) => `${kind === 'make' ? 'made' : 'set'} ${object.kind.kind} ${object.name}`,
    ),
    ...(await bootstrapRoute(spec, client, entrance, signal)),
    ...(await bootstrapRoles(spec, client, signal)),
    ...(await bootstrapQueue(spec, client, signal)),
  ];
}

async function bootstrapRoute(
  { app, kubernetes }: Spec,
  client: KubeClient,
  { gateway, hosts, paths }: Entrance,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const name = kubernetes?.traffic.route ?? app;
  if ((await client.get(kinds.HTTPRoute, name, signal)) !== undefined) return [];
  const route = newRoute(
    {
      namespace: client.namespace,
      name,
      parentRefs: [gateway],
      hostnames: hosts,
      paths,
      port: servicePort,
      mark: true,
    },
    { app, services: laneServices(app) },
  );
  const written = await client.create(kinds.HTTPRoute, route, signal);
  return written.kind === 'written'
    ? [`made HTTPRoute ${name} through gateway ${gateway.namespace}/${gateway.name}`]
    : [];
}

/** The roles alone: who has them is the cluster's owner to say. */
async function bootstrapRoles(
  { app, kubernetes }: Spec,
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const near = rolesOf({ app, route: kubernetes?.traffic.route ?? app });
  const far = kubernetes?.traffic.replicas.namespace ?? client.namespace;
  const places = [
    ...near.map((role) => ({ role, namespace: client.namespace })),
    { role: gatewayRole(app), namespace: far },
  ];
  const made: string[] = [];
  for (const { role, namespace } of places) {
    const before = await client.in(namespace).get<Role>(kinds.Role, role.metadata.name, signal);
    if (before !== undefined && JSON.stringify(before.rules) === JSON.stringify(role.rules)) continue;
    await client.in(namespace).apply(kinds.Role, role, signal);
    made.push(`${before === undefined ? 'made' : 'set'} Role ${namespace}/${role.metadata.name}`);
  }
  return made;
}

async function bootstrapQueue(
  { app, services, queue }: Spec,
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (queue === undefined) return [];
  await using connection = openConnection(app, await queueAddress(queue.url, client));
  const changes = await bootstrap(connection, { app, services }, signal);
  return changes.map(({ kind, object }) => `${kind === 'make' ? 'made' : 'extended'} ${object.kind} ${object.name}`);
}
