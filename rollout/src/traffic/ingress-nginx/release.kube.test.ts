import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { readHead } from '../../engine/book.ts';
import { aPlatform, aRequest, handsOn, quick } from '../../engine.rig.ts';
import { startRelease } from '../../hands/release.ts';
import { type Lane, lanes } from '../../lane.ts';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { openRouting } from '../../platform/kubernetes/routing.ts';
import { openSender } from '../../platform/kubernetes/send-through.ts';
import type { Platform } from '../../platform/platform.ts';
import { type GatewayRig, startGatewayRig } from '../gateway.rig.ts';
import { laneServices } from '../lane-services.ts';
import { newPair } from './new-pair.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const users = 12;
// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? test.skip : test;

/** The data plane is real, and so are its requests: what users got is what is judged. Lanes, queue and journal are in memory. */
function platformOver(rig: GatewayRig, world: ReturnType<typeof aPlatform>): Platform {
  const { client, app } = rig;
  const replicas = { namespace: 'gateway', service: 'traefik', listener: 'nginx', metrics: 'traefik' };
  const traffic = { kind: 'ingress-nginx', route: app, replicas } as const;
  const kubernetes = { namespace: client.namespace, traffic, driver: 'cli' } as const;
  let driver = 0;
  const proxies = { labels: 'nobody=here', port: 9090 };
  const routing = openRouting({ app, kubernetes, client, fence: () => driver, way: 'direct', proxies });
  return {
    ...world.ports,
    traffic: routing.traffic,
    setFence(number) {
      driver = number;
    },
    send: openSender({ app, kubernetes, client, way: 'direct' }),
  };
}

type Users = AsyncDisposable & { readonly answers: Record<Lane | 'nobody', { passed: number; failed: number }> };

function startUsers(rig: GatewayRig, { metrics }: ReturnType<typeof aPlatform>): Users {
  const none = () => ({ passed: 0, failed: 0 });
  const answers = { blue: none(), green: none(), nobody: none() };
  const stop = new AbortController();
  const user = async (n: number): Promise<void> => {
    for (; !stop.signal.aborted; await sleep(5)) {
      const { status, lane } = await rig.send({ replica: n % 2 });
      const known = lanes.find((one) => one === lane);
      const what = status < 500 ? 'passed' : 'failed';
      answers[known ?? 'nobody'][what] += 1;
      if (known !== undefined) metrics.count(known, 'weighted', what);
    }
  };
  const ended = Promise.all(Array.from({ length: users }, (_, n) => user(n)));
  return {
    answers,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

withGateway(
  'releases over the annotations of ingress-nginx: a good version is promoted, and a bad one goes back',
  async () => {
    await using rig = await startGatewayRig('ingresses');
    const names = { app: rig.app, services: laneServices(rig.app), closed: `${rig.app}-closed` };
    const wanted = { name: rig.app, ingressClassName: 'nginx', host: rig.host, paths: ['/'], port: 80 };
    const { main, canary } = newPair(wanted, names);
    await rig.client.create(kinds.Ingress, main, signal());
    await rig.client.create(kinds.Ingress, canary, signal());
    await using world = aPlatform(0);
    const ports = platformOver(rig, world);
    const spec = { ...quick, steps: [25, 50], bakeMs: 2_000, tolerate: 'relaxed' } as const;
    const within = AbortSignal.timeout(150_000);
    const release = (name: string) => startRelease(handsOn(ports, { spec, signal: within }), aRequest(name));

    const first = await release('v1');
    const { answers, ...sending } = startUsers(rig, world);
    await using _users = sending;
    const second = await release('v2');
    const promoted = structuredClone(answers);
    rig.broken.add('blue');
    const third = await release('v3');

    expect([first.kind, second.kind, third.kind]).toEqual(['ended', 'ended', 'ended']);
    const head = await readHead(ports.journal, 'test', within);
    expect(head.history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'rolledBack']);
    expect(head.live).toBe('green');
    // Until then nobody saw a failure, and each lane had its share.
    expect([promoted.blue.failed, promoted.green.failed, promoted.nobody]).toEqual([0, 0, { passed: 0, failed: 0 }]);
    expect(promoted.green.passed).toBeGreaterThan(100);
    expect(answers.blue.failed).toBeGreaterThan(0);
    expect(answers.green.failed).toBe(0);
    expect(await ports.traffic.observe(within)).toMatchObject({ kind: 'agreed', weights: { blue: 0, green: 100 } });
    for (let n = 0; n < 20; n++) expect(await rig.send({ replica: n % 2 })).toEqual({ status: 200, lane: 'green' });
    process.stdout.write(
      `ingress-nginx: of a good release ${promoted.blue.passed} and ${promoted.green.passed} requests at blue and green, all answered; ${answers.blue.failed} failed of a bad one that got 25 % at once\n`,
    );
  },
  180_000,
);
