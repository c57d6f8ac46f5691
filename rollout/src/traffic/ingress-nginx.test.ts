import { expect, test } from '@jest/globals';
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { newPair } from './ingress-nginx/new-pair.ts';
import { canaryAnnotations, mainPath } from './ingress-nginx/pair.ts';
import { openIngressNginxTraffic } from './ingress-nginx.ts';
import { laneServices } from './lane-services.ts';
import type { Replica } from './replicas.ts';

const names = { app: 'shop', services: laneServices('shop'), closed: 'shop-closed' };
const signal = (): AbortSignal => AbortSignal.timeout(5_000);

/** Half of the users are green's, as driver 1 has written it. */
function openHalf() {
  const wanted = { name: 'shop', ingressClassName: 'nginx', host: undefined, paths: ['/'], port: 80 };
  const { main, canary } = newPair(wanted, names);
  const written = JSON.parse(
    JSON.stringify(main)
      .replace(names.closed, names.services.weighted.blue)
      .replace(names.closed, names.services.pinned.blue)
      .replace('fence":"0"', 'fence":"1"'),
  );
  const annotations = canaryAnnotations({ main: 'blue', canary: 'green', weight: 50, pins: [] }, 1, names);
  const objects = [written, JSON.parse(JSON.stringify({ ...canary, metadata: { ...canary.metadata, annotations } }))];
  const client = {
    namespace: 'test',
    get: async (_: unknown, name: string) => objects.find(({ metadata }) => metadata.name === name),
  } as unknown as KubeClient; // Nothing else is asked of it.
  const asked: string[] = [];
  let replicas: readonly Replica[] = [];
  const router = openIngressNginxTraffic({
    client,
    main: 'shop',
    canary: 'shop-canary',
    names,
    fence: () => 1,
    replicas: async () => replicas,
    proxiesOf: async () => [],
  });
  return {
    router,
    asked,
    /** One replica at an address that never changes; an old configuration has no canary. */
    run(pod: string, configuration: 'new' | 'old') {
      const get: Replica['get'] = async ({ path }) => {
        asked.push(path);
        const lane = path === mainPath('shop') || configuration === 'old' ? 'blue' : 'green';
        return { status: 200, headers: { 'headgate-lane': lane } };
      };
      replicas = [{ name: '10.0.0.1:80', pod, get } as unknown as Replica];
    },
    stop() {
      replicas = [];
    },
  };
}

test('a replica that has shown the weights is not asked again', async () => {
  const { router, asked, run } = openHalf();
  run('first', 'new');

  await router.observe(signal());
  const questions = asked.length;
  await router.observe(signal());

  expect(questions).toBe(2);
  expect(asked).toHaveLength(questions);
});

test.each([
  { what: 'another pod at the same address', pod: 'second', isSeenGone: false },
  { what: 'the same pod, after it was gone', pod: 'first', isSeenGone: true },
])('$what is asked what it does, and weights that it does not have are not agreed', async ({ pod, isSeenGone }) => {
  const { router, run, stop } = openHalf();
  run('first', 'new');
  await router.observe(signal());
  if (isSeenGone) {
    stop();
    expect(await router.observe(signal())).toMatchObject({ kind: 'pending' });
  }

  run(pod, 'old');

  expect(await router.observe(signal())).toMatchObject({
    kind: 'pending',
    why: expect.stringContaining('has not the new canary'),
  });
});
