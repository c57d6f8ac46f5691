import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type ClusterApp, openApp } from '../../../rollout/src/controller/app.rig.ts';
import { startRacer } from '../../../rollout/src/controller/racer.rig.ts';
import { act } from '../../../rollout/src/hands/act.ts';
import { startRelease } from '../../../rollout/src/hands/release.ts';
import { bindRole, testCluster } from '../../../rollout/src/platform/kubernetes/cluster.rig.ts';
import { openFront } from '../../../rollout/src/platform/kubernetes/front.rig.ts';
import { kinds } from '../../../rollout/src/platform/kubernetes/kinds.ts';
import type { Head } from '../../../rollout/src/policy/release.ts';
import { termsOf } from './audit.rig.ts';
import { readCluster } from './cluster.rig.ts';

// Pods need a node, and whoever lent a cluster did not lend its audit log.
const ofOurs = testCluster().mode === 'full' ? test : test.skip;

const release = '  steps: [50%]\n  bake: 5m\n  watch: 2s\n  keepWarm: 5m\n';

ofOurs(
  'two controllers and three command lines at once: each term of the lock has one driver, and a CI runner that is killed ends no release',
  async () => {
    await using app = await openApp(release);
    const { namespace } = app;
    await using _a = await startRacer('a', namespace);
    await using _b = await startRacer('b', namespace);
    await using runners = await openRunners(app);
    // A person decides, so that nobody waits for evidence.
    const promote = () => act(app.hands, 'promote', { release: undefined, reason: 'try' });
    await startRelease(app.hands, await app.version('v1'));

    const asking = await runners.start('asks', 'controller', 'v2');
    await app.isHolding('v2');
    asking.kill('SIGKILL');
    await promote();
    await until(app, ({ history }) => history.length === 2);

    const driving = await runners.start('drives', 'cli', 'v3');
    await app.isHolding('v3');
    const waiting = await runners.start('waits', 'cli', 'v4');
    await until(app, ({ waiting: next }) => next !== undefined);
    driving.kill('SIGKILL');
    await promote();
    const ended = once(waiting, 'exit');
    await app.isHolding('v4');
    await promote();
    const [code] = await ended;

    const { history } = await app.head();
    expect(history.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([1, 2, 3, 4].map((id) => `${id} promoted`));
    expect(code).toBe(0);
    expect(app.failed).toEqual([]);
    const terms = await termsOf(readCluster().run, namespace);
    expect(terms.filter(({ holder, writers }) => writers.some((writer) => writer !== holder))).toEqual([]);
    const drivers = terms.filter(({ writers }) => writers.length > 0).map(({ holder }) => holder);
    expect(drivers).toContain('headgate drives');
    expect(drivers.at(-1)).not.toBe('headgate drives');
    expect(drivers).not.toContain('headgate asks');
  },
  300_000,
);

ofOurs(
  'a command line that drives and is told to go sets the candidate to 0, frees the lock and ends with 143 in time; the next one goes on',
  async () => {
    await using app = await openApp(release, 'cli');
    const { ports, signal } = app.hands;
    await using runners = await openRunners(app);
    const [first] = await once(await runners.start('first', 'cli', 'v1'), 'exit');
    const driving = await runners.start('told', 'cli', 'v2');
    await app.isHolding('v2');

    const told = performance.now();
    driving.kill('SIGTERM');
    const [code] = await once(driving, 'exit');
    const tookMs = performance.now() - told;

    expect([first, code]).toEqual([0, 143]);
    expect(tookMs).toBeLessThan(7_000); // A host kills soon after.
    expect(await ports.lock.holding(signal)).toBeUndefined();
    const left = await app.head();
    expect(left.release).toMatchObject({ id: 2, candidate: 'green', state: { phase: { kind: 'interrupted' } } });
    ports.setFence(left.fence); // Only who drives is told what the router does.
    const within = AbortSignal.timeout(5_000);
    while ((await ports.traffic.observe(signal)).kind !== 'agreed') await sleep(100, undefined, { signal: within });
    expect(await ports.traffic.observe(signal)).toMatchObject({ kind: 'agreed', weights: { blue: 100, green: 0 } });

    const next = await runners.start('next', 'cli', 'v2');
    const ended = once(next, 'exit');
    await app.isHolding('v2');
    await act(app.hands, 'promote', { release: 2, reason: 'try' });
    expect(await ended).toEqual([0, null]);
    const { history } = await app.head();
    expect(history.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(['1 promoted', '2 promoted']);
    expect(app.failed).toEqual([]);
  },
  180_000,
);

async function until({ head }: ClusterApp, holds: (head: Head) => boolean): Promise<void> {
  for (const within = AbortSignal.timeout(60_000); !holds(await head()); within.throwIfAborted()) await sleep(100);
}

/** `headgate release` in processes with the rights of a driver, each with a headgate.yaml of its own. */
async function openRunners({ namespace, client, text: spec, version }: ClusterApp) {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-runners-'));
  const gateway = client.in('gateway');
  const far = `headgate-test-runner-${namespace}`;
  await bindRole(client, 'headgate-test-driver', 'runner');
  await bindRole(gateway, 'headgate-test-gateway', 'runner', { name: far, namespace });
  const open: AsyncDisposable[] = [];
  return {
    async start(name: string, driver: 'controller' | 'cli', wanted: string): Promise<ChildProcess> {
      const { revision } = await version(wanted);
      const file = join(folder, `${name}.yaml`);
      const env = `probe: /probe, env: { VERSION: ${wanted} }`;
      await writeFile(file, spec.replace('probe: /probe', env).replace('driver: controller', `driver: ${driver}`));
      const front = await openFront({
        account: `${namespace}:runner`,
        agent: `headgate ${name}`,
        fate: () => 'lives',
        kill: async () => {},
      });
      const image = `proxy=${revision.repositories['proxy']}@${revision.digests['proxy']}`;
      const bin = ['--import', 'tsx', '--conditions=source', join(import.meta.dirname, 'bin.ts')];
      const args = ['release', image, '--file', file, '--reason', wanted];
      const child = spawn(process.execPath, [...bin, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          ...process.env,
          HEADGATE_KUBECONFIG: front.kubeconfig,
          HEADGATE_POD_NETWORK: '1',
        },
      });
      const said = text(child.stderr);
      open.push({
        async [Symbol.asyncDispose]() {
          if (child.exitCode === null && child.signalCode === null) {
            child.kill('SIGKILL');
            process.stderr.write(`${name}: ${await said}`);
          }
          await front[Symbol.asyncDispose]();
        },
      });
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const one of open) await one[Symbol.asyncDispose]();
      await gateway.remove(kinds.RoleBinding, far, AbortSignal.timeout(10_000));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
