import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { bindRole, kubeconfigAs, openFaultyWay, temporaryNamespace } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { rolesOf } from '../platform/kubernetes/roles.ts';
import { ControllerProcess } from './process.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  for (const role of rolesOf({ app: 'shop', route: 'shop' })) await namespace.client.create(kinds.Role, role, signal());
});
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

/** Asks until `/readyz` answers so. */
async function isReady(controller: ControllerProcess, status: 200 | 503, text: string): Promise<void> {
  let last: unknown;
  for (const within = signal(); !within.aborted; await sleep(50)) {
    const reply = await controller.ask('/readyz');
    if (reply.status === status && reply.text.includes(text)) return;
    last = reply;
  }
  throw new Error(`/readyz does not become ${status} with "${text}": ${JSON.stringify(last)}`);
}

/** Asks until `/metrics` says this of a gauge; its value, or NaN where it is not there. */
async function isTold(
  controller: ControllerProcess,
  name: string,
  condition: (value: number) => boolean,
): Promise<number> {
  for (const within = signal(); !within.aborted; await sleep(50)) {
    const { text } = await controller.ask('/metrics');
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    const value = line === undefined ? Number.NaN : Number(line.slice(name.length));
    if (condition(value)) return value;
  }
  throw new Error(`/metrics does not say what is wanted of ${name}`);
}

/** Hears a wish; one for a release that never was is answered by its removal. */
async function isHeard(): Promise<void> {
  const { wishes } = openKubernetesJournal(namespace.client, 'shop');
  await wishes.add({ act: 'hold', actor: 'kim', at: 0 }, signal());
  for (const within = signal(); (await wishes.read(within)).length > 0; ) await sleep(50);
}

test('a controller without rights, at its start or when it listens again, says so, lives, and goes on when they are given', async () => {
  await using way = await openFaultyWay();
  await using config = await kubeconfigAs(namespace.name, 'controller', way.kubeconfig);
  await using controller = new ControllerProcess({ KUBECONFIG: config.path, HEADGATE_NAMESPACE: namespace.name });

  await isReady(controller, 503, '403');
  await bindRole(namespace.client, 'headgate-shop-controller', 'controller');
  await isReady(controller, 200, 'ok');
  await isHeard();

  await namespace.client.remove(kinds.RoleBinding, 'controller', signal());
  way.cut();
  await isReady(controller, 503, 'does not answer');
  way.heal();
  await isReady(controller, 503, '403');
  expect((await controller.ask('/metrics')).text).toContain('headgate_controller_hears_news 0');
  expect(await controller.ask('/healthz')).toMatchObject({ status: 200 });

  await bindRole(namespace.client, 'headgate-shop-controller', 'controller');
  await isReady(controller, 200, 'ok');
  await isHeard();
  expect((await controller.ask('/metrics')).text).toContain('headgate_controller_hears_news 1');
}, 90_000);

test('a controller that hears of an app and may not do its work tells since when', async () => {
  await bindRole(namespace.client, 'headgate-shop-viewer', 'looking');
  await using config = await kubeconfigAs(namespace.name, 'looking');
  await using controller = new ControllerProcess({ KUBECONFIG: config.path, HEADGATE_NAMESPACE: namespace.name });
  await isReady(controller, 200, 'ok');
  const name = 'headgate_blind_seconds{app="shop",port="journal"}';

  const heard = isHeard();
  const first = await isTold(controller, name, (seconds) => seconds >= 0);
  await isTold(controller, name, (seconds) => seconds > first + 1);
  await bindRole(namespace.client, 'headgate-shop-controller', 'looking', { name: 'driving' });
  await heard;

  await isTold(controller, name, (seconds) => Number.isNaN(seconds));
}, 90_000);
