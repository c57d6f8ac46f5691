import { setTimeout as sleep } from 'node:timers/promises';
import { requestsOf } from './cluster/audit.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { holding, releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

const everyMs = 5_000;
const rounds = 4;
const manager = 'argocd';
/** A rollback writes so often, and then says that it cannot. */
const writesMax = 3;

/**
 * A loop that applies a route of its own every 5 s, as a GitOps tool does that was not told to leave the weights alone: it is named, and
 * never fought.
 */
export async function otherWriter(report: Report): Promise<void> {
  await using stage = await openClusterStage(
    '  steps: [25%]\n  bake: 10m\n  watch: 2s\n  keepWarm: 1m\n',
    'controller',
  );
  await releaseFirst(stage, report);
  const old = await routeOf(stage);
  const load = stage.load(50);
  await raised(stage, report);
  await lowered(stage, old, report);
  await checkOutside({ ...stage, load }, report);
}

async function raised(stage: ClusterStage, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v2');
  const route = (await routeOf(stage)).replace('"weight":25', '"weight":40').replace('"weight":75', '"weight":60');
  const from = Date.now();
  await applyAgain(stage, route);
  const { code, out } = await stage.run('status');
  const writes = await writesOf(stage, from);
  report.check('a raised weight is held under the name of its writer', code === 4 && out.includes(manager), out);
  report.check('and nobody writes against it', writes === 0, `${writes} in ${(rounds * everyMs) / 1_000} s`);
  const back = await stage.run('rollback', '--reason', 'raised');
  const ended = await releasing.ended;
  report.check('a person rolls back all the same', back.code === 0 && ended.code === 11, back.err.trim());
}

/** By the route of before the release, in which the candidate has no weight. */
async function lowered(stage: ClusterStage, old: string, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v3');
  const from = Date.now();
  await applyAgain(stage, old);
  const { code, out } = await releasing.ended;
  const writes = await writesOf(stage, from);
  report.check(
    'a lowered weight is a rollback under the name of its writer',
    code === 11 && out.includes(manager),
    out,
  );
  report.check('and that is not fought either', writes <= writesMax, `${writes} in ${(rounds * everyMs) / 1_000} s`);
}

/** As it would lie in a repository. */
async function routeOf({ kubectl }: ClusterStage): Promise<string> {
  const { apiVersion, kind, metadata, spec } = JSON.parse(await kubectl(['get', 'httproute', 'ratings', '-o', 'json']));
  return JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec });
}

async function applyAgain({ kubectl }: ClusterStage, route: string): Promise<void> {
  const as = ['--server-side', '--force-conflicts', `--field-manager=${manager}`];
  for (let round = 0; round < rounds; round++) {
    await kubectl(['apply', ...as, '-f', '-'], route);
    await sleep(everyMs);
  }
}

async function writesOf({ namespace }: ClusterStage, from: number): Promise<number> {
  const asked = await requestsOf(`${namespace}:headgate-controller`, from, Date.now());
  return asked.filter(({ verb, requestURI }) => verb === 'patch' && requestURI.includes('/httproutes/')).length;
}
