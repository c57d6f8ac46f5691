import { expect, test } from '@jest/globals';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import { percent, weightsFor } from '../lane.ts';
import { samplesOf } from '../metrics/exposition.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { writeRouteAs } from '../traffic/gateway-route.rig.ts';
import { openApp } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';
import { until } from './until.rig.ts';

type Event = KubeObject & { readonly type: string; readonly reason: string; readonly message: string };
type Backend = { readonly name: string; readonly weight: number };
type Route = KubeObject & {
  readonly spec: { readonly rules: readonly { readonly backendRefs?: readonly Backend[] }[] };
};

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods(
  "a weight by another hand is an Event that names it, a line of the controller's log and a gauge, and is over when it is",
  async () => {
    await using app = await openApp('  steps: [10%, 50%]\n  bake: 20m\n  watch: 2s\n');
    const { client, hands, namespace } = app;
    await using controller = await controllerOf(namespace);
    const events = async () => (await client.list<Event>(kinds.Event, {}, hands.signal)).items;
    const page = async () => (await controller.ask('/metrics')).text;
    await startRelease(hands, await app.version('v1'));
    const releasing = startRelease(hands, await app.version('v2'));
    const release = await app.isHolding('v2');
    const gauge = (reason: string) => `headgate_held{app="test",reason="${reason}"} 1\n`;
    await until(async () => (await page()).includes(gauge('evidence')), AbortSignal.timeout(20_000));

    await writeRouteAs('kustomize-controller', { client, app: 'test' }, { spec: { rules: await rulesWith(40) } });
    await until(
      async () => (await events()).some(({ message }) => message.includes('foreign-writer')),
      AbortSignal.timeout(20_000),
    );

    expect((await events()).filter(({ message }) => message.includes('foreign-writer'))).toMatchObject([
      {
        type: 'Warning',
        reason: 'Held',
        message: expect.stringMatching(
          /^release 2 at 10 % .* held \(foreign-writer\): kustomize-controller wrote the weights: blue 60 %, green 40 %$/,
        ),
        involvedObject: { kind: 'ConfigMap', name: 'headgate-test' },
      },
    ]);
    expect(controller.log).toContainEqual({
      at: expect.any(String),
      event: 'held',
      app: 'test',
      release,
      reason: 'foreign-writer',
      why: 'kustomize-controller wrote the weights: blue 60 %, green 40 %',
    });
    expect(await page()).toContain(gauge('foreign-writer'));
    expect(await page()).not.toContain('reason="evidence"');

    expect(controller.log).toContainEqual({
      at: expect.any(String),
      event: 'decided',
      app: 'test',
      release,
      phase: { kind: 'holding', step: 0, since: expect.any(Number) },
      why: '10 % is confirmed',
    });
    const samples = samplesOf(await page());
    expect(samples).toContainEqual(expect.objectContaining({ name: 'headgate_controller_apps_tended', value: 1 }));
    expect(samples.filter((sample) => sample?.name === 'headgate_decisions_total')).toEqual(
      expect.arrayContaining(
        ['starting', 'settling', 'holding'].map((phase) => ({
          name: 'headgate_decisions_total',
          labels: { app: 'test', phase },
          value: expect.any(Number),
        })),
      ),
    );

    await act(hands, 'rollback', { release, reason: 'enough' });
    await releasing;
    await until(async () => !(await page()).includes('headgate_held{'), AbortSignal.timeout(20_000));

    async function rulesWith(share: number) {
      const weights = weightsFor('green', percent(share));
      const route = await client.get<Route>(kinds.HTTPRoute, 'test', hands.signal);
      return route!.spec.rules.map((rule) => ({
        ...rule,
        ...(rule.backendRefs && {
          backendRefs: rule.backendRefs.map((backend) => ({
            ...backend,
            weight:
              backend.name === 'test-blue'
                ? weights.blue
                : backend.name === 'test-green'
                  ? weights.green
                  : backend.weight,
          })),
        }),
      }));
    }
  },
  180_000,
);
