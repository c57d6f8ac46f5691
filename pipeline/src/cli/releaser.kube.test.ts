import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type ClusterApp, openApp } from '../../../rollout/src/controller/app.rig.ts';
import { ControllerProcess } from '../../../rollout/src/controller/process.rig.ts';
import { handOver, startRelease } from '../../../rollout/src/hands/release.ts';
import { lanes } from '../../../rollout/src/lane.ts';
import type { KubeObject } from '../../../rollout/src/platform/kubernetes/client.ts';
import { bindRole, kubeconfigAs, testCluster } from '../../../rollout/src/platform/kubernetes/cluster.rig.ts';
import { openFront } from '../../../rollout/src/platform/kubernetes/front.rig.ts';
import { kinds } from '../../../rollout/src/platform/kubernetes/kinds.ts';
import type { HttpRoute } from '../../../rollout/src/traffic/http-route.ts';
import { laneServices } from '../../../rollout/src/traffic/lane-services.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods(
  'a releaser closes the candidate while no controller is there, asks for the lock once, and waits for one, which ends the release',
  async () => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n');
    await using config = await kubeconfigAs(app.namespace, 'headgate-controller');
    const startController = () =>
      new ControllerProcess({
        KUBECONFIG: config.path,
        HEADGATE_NAMESPACE: app.namespace,
        HEADGATE_POD_NETWORK: '1',
        POD_NAME: 'a',
      });
    await using first = startController();
    await startRelease(app.hands, await app.version('v1'));
    await handOver(app.hands, await app.version('v2'));
    await app.isHolding('v2');
    await first.kill();

    await using releaser = await openReleaser(app);
    const left = releaser.start('rollback', '--reason', 'left');
    await left.says('this command waits');
    left.child.kill('SIGINT');
    expect(await left.exited).toBe(130);
    const wishing = releaser.start('hold', '--environment', 'by-hand');
    await wishing.says(
      'this user may not drive (role headgate-test-driver may): a controller or a driver takes this up',
    );
    wishing.child.kill('SIGINT');
    expect(await wishing.exited).toBe(130);
    const staying = releaser.start('rollback', '--reason', 'stays');
    await staying.says(
      'this user may not drive (role headgate-test-driver may): the candidate has no weight, and a controller or a driver ends the release when one is back; this command waits for that',
    );
    expect(await weightsOf(app)).toEqual({ blue: 100, green: 0 });
    expect(staying.child.exitCode).toBeNull();
    await using _second = startController();

    expect(await staying.exited).toBe(0);
    await ends(app, 2);
    expect((await app.head()).history.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      '1 promoted',
      '2 rolledBack',
    ]);
    expect(releaser.askedForLock()).toBe(3);
    expect(app.failed).toEqual([]);
  },
  240_000,
);

async function ends({ head }: ClusterApp, release: number): Promise<void> {
  for (const within = AbortSignal.timeout(60_000); (await head()).history.length < release; within.throwIfAborted())
    await sleep(100);
}

async function weightsOf({ client }: ClusterApp): Promise<Readonly<Record<string, number>>> {
  const route = (await client.get<KubeObject & HttpRoute>(kinds.HTTPRoute, 'test', AbortSignal.timeout(10_000)))!;
  const backends = (route.spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs);
  return Object.fromEntries(
    lanes.map((lane) => [
      lane,
      backends.find(({ name }) => name === laneServices('test').weighted[lane])?.weight ?? Number.NaN,
    ]),
  );
}

/** Headgate in processes of a person who holds the releaser's role and no other. */
async function openReleaser({ namespace, client, text }: ClusterApp) {
  await bindRole(client, 'headgate-test-releaser', 'releaser');
  const folder = await mkdtemp(join(tmpdir(), 'headgate-releaser-'));
  const file = join(folder, 'headgate.yaml');
  await writeFile(file, `${text}environments:\n  by-hand: { kubernetes: { driver: cli } }\n`);
  let asked = 0;
  const front = await openFront({
    account: `${namespace}:releaser`,
    agent: 'headgate releaser',
    fate({ method, path }) {
      if (method !== 'GET' && path.includes('/leases')) asked++;
      return 'lives';
    },
    kill: async () => {},
  });
  const left: (() => Promise<void>)[] = [];
  return {
    askedForLock: () => asked,
    start(...words: readonly string[]) {
      const bin = ['--import', 'tsx', '--conditions=source', join(import.meta.dirname, 'bin.ts')];
      const child = spawn(process.execPath, [...bin, ...words, '--file', file], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, HEADGATE_KUBECONFIG: front.kubeconfig },
      });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
      const exited = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => code ?? signal);
      left.push(async () => {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        await exited;
      });
      return {
        child,
        exited,
        async says(words: string) {
          for (const within = AbortSignal.timeout(30_000); !said.includes(words); await sleep(50)) {
            if (within.aborted || child.exitCode !== null)
              throw new Error(`"${words}" was not said before ${child.exitCode}: ${said}`);
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const end of left) await end();
      await front[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
