import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userRequest } from '../../src/perf/ledger.ts';
import { startLoad } from '../../src/perf/open-loop.ts';
import { clearing } from '../clearing.ts';
import { type Hosts, headOf, twoClones } from '../hosts.ts';
import { readSpec } from '../stage.ts';
import { effectsOf } from './audit.ts';
import { type Driver, furnish, hostOf } from './furnish.ts';
import { openGround } from './ground.ts';
import { objectsOf } from './objects.ts';
import { accounts, appText, clear, enterCluster } from './stage.ts';

/** Two hosts outside of the test cluster, to which both deliver with the rights of a releaser, or with `cli` of a driver. */
export async function openClusterHosts(state: string, driver: Driver, staging?: string): Promise<Hosts> {
  await enterCluster();
  const namespace = `acceptance-${state}${process.pid}`;
  const ground = await openGround(namespace);
  const before = staging === undefined ? undefined : await openGround(`${namespace}-staging`);
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const environments =
    before && `environments: { staging: { kubernetes: { namespace: ${before.namespace} }, release: ${staging} } }\n`;
  const clones = await twoClones(state, appText(namespace, driver), environments ?? '');
  const { a, b, spec } = clones;
  let takeBack = () => {};
  const away = clearing(async () => {
    takeBack();
    if (before !== undefined) await clear(before, []);
    await clear(ground, [folder, clones.folder]);
  });
  const file = join(a, 'headgate.yaml');
  try {
    await furnish(ground, { file, folder, sources: clones.folder }, driver);
    if (before !== undefined) await furnish(before, { file, folder, sources: clones.folder }, driver, 'staging');
    const namespaces = before === undefined ? [] : [before.namespace];
    const { person } = await accounts(ground, spec.app, { folder, driver, namespaces });
    // For all commands of this part: those of a pipeline are given without a stage.
    takeBack = setVariables({
      HEADGATE_KUBECONFIG: person['HEADGATE_KUBECONFIG'],
      HEADGATE_REGISTRY: `${ground.cluster.registry}/ratings`,
    });
    const [origin = ''] = ground.cluster.gateways;
    return {
      a,
      b,
      head: headOf(spec, a),
      ...(before !== undefined && { stagingHead: headOf(await readSpec(file, 'staging'), a) }),
      load: async (perSecond) => startLoad({ origin, headers: { host: hostOf(ground) }, perSecond, make: userRequest }),
      objects: () => objectsOf(ground),
      effects: (from, to) => effectsOf(namespace, from, to),
      async rolled() {
        const revisions = 'jsonpath={.items[*].metadata.annotations.deployment\\.kubernetes\\.io/revision}';
        const of = ['--selector', 'headgate.dev/lane'];
        const counts = await ground.kubectl(['get', 'deployments', ...of, '-o', revisions]);
        return counts.split(' ').reduce((sum, count) => sum + Number(count), 0);
      },
      [Symbol.asyncDispose]: away,
    };
  } catch (error) {
    await away();
    throw error;
  }
}

/** @returns what takes them back: the next part has a cluster of its own to log in to */
function setVariables(variables: NodeJS.ProcessEnv): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
