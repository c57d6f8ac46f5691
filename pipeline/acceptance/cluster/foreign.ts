/** A system that runs without Headgate: a Deployment of proxies and one of workers, bare subjects, a stream, a Service and a route. */
import { AckPolicy, connect, type NatsConnection, nanos, RetentionPolicy, StorageType } from 'nats';
import { database, hostOf } from './furnish.ts';
import type { Ground } from './ground.ts';
import type { ClusterStage } from './stage.ts';

const names = { proxy: 'shop-proxy', rating: 'shop-rating' };
const stream = 'requests';
const consumer = 'rating-worker';

/** What headgate.yaml says of its queue. */
export const foreignQueue = `existing: { stream: ${stream}, consumers: { rating: ${consumer} } }`;

/** All but the programs. */
export async function standForeign(ground: Ground): Promise<void> {
  const { kubectl } = ground;
  const address = await kubectl(['get', 'service', 'nats', '-o', 'jsonpath={.spec.clusterIP}']);
  const nats = await connect({ servers: `nats://${address}:4222` });
  await makeStream(nats).finally(() => nats.close());
  const items = [serviceOf(), routeOf(hostOf(ground))];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

async function makeStream(nats: NatsConnection): Promise<void> {
  const manager = await nats.jetstreamManager();
  await manager.streams.add({
    name: stream,
    subjects: ['*.ratings', '*.users', '*.services'],
    storage: StorageType.Memory,
    retention: RetentionPolicy.Interest,
    no_ack: true,
    max_age: nanos(3_600_000),
  });
  await manager.consumers.add(stream, {
    durable_name: consumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(10_000),
    max_deliver: 20,
  });
}

/** Config and birthday of stream and consumer, without the server's own metadata. */
export async function foreignIdentity(servers: string): Promise<string> {
  const nats = await connect({ servers });
  try {
    const manager = await nats.jetstreamManager();
    const found = [await manager.streams.info(stream), await manager.consumers.info(stream, consumer)];
    return JSON.stringify(found.map(({ created, config }) => ({ created, config: { ...config, metadata: {} } })));
  } finally {
    await nats.close();
  }
}

/** Its programs, up and ready. `images` as for a release. */
export async function runForeign({ kubectl }: ClusterStage, images: readonly string[]): Promise<void> {
  const image = new Map(images.map((pair) => pair.split(/=(.*)/s) as [string, string]));
  const items = [
    deploymentOf('proxy', image.get('proxy'), { PATH_PREFIX: '/api' }),
    deploymentOf('rating', image.get('rating'), {
      DATABASE_URL: database,
      SERVICE_STREAM_NAME: stream,
      SERVICE_CONSUMER_NAME: consumer,
    }),
  ];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  for (const name of Object.values(names)) await kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=60s']);
}

/** Its owner gives the lanes a place in the route, without weight. */
export async function letLanesIn({ kubectl }: ClusterStage): Promise<void> {
  const refs = ['ratings-blue', 'ratings-green'].map((name) => ({ name, port: 80, weight: 0 }));
  const value = [...refs, { name: 'shop', port: 80, weight: 100 }];
  const patch = [{ op: 'replace', path: '/spec/rules/0/backendRefs', value }];
  await kubectl(['patch', 'httproute', 'ratings', '--type=json', '--patch', JSON.stringify(patch)]);
}

/** Its owner takes away what the lane has taken over: the place in the route, then, as gateways hear of it, the programs. */
export async function endForeign({ kubectl }: ClusterStage): Promise<void> {
  const patch = [{ op: 'remove', path: '/spec/rules/0/backendRefs/2' }];
  await kubectl(['patch', 'httproute', 'ratings', '--type=json', '--patch', JSON.stringify(patch)]);
  await kubectl(['scale', 'deployment', ...Object.values(names), '--replicas=0']);
  for (const name of Object.values(names))
    await kubectl(['wait', '--for=delete', 'pod', '--selector', `app=${name}`, '--timeout=60s']);
}

function serviceOf(): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop' },
    spec: { selector: { app: names.proxy }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

function routeOf(host: string): object {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'ratings' },
    spec: {
      parentRefs: [{ namespace: 'gateway', name: 'main' }],
      hostnames: [host],
      rules: [
        { matches: [{ path: { type: 'PathPrefix', value: '/api' } }], backendRefs: [{ name: 'shop', port: 80 }] },
      ],
    },
  };
}

function deploymentOf(
  service: keyof typeof names,
  image: string | undefined,
  env: Readonly<Record<string, string>>,
): object {
  const labels = { app: names[service] };
  const container = {
    name: service,
    image,
    env: Object.entries({ NATS_URL: 'nats://nats:4222', ...env }).map(([name, value]) => ({ name, value })),
    readinessProbe: { httpGet: { path: '/readyz', port: 9090 }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: service === 'proxy' ? 3 : 0 } } },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: names[service] },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}
