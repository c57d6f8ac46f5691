import { setTimeout as sleep } from 'node:timers/promises';
import { requestsOf } from './cluster/audit.ts';
import { type ClusterStage, openClusterStage } from './cluster/stage.ts';
import { checkOutside } from './outside.ts';
import { holding, releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';

const everyMs = 5_000;
const slowly = { times: 4, everyMs };
const manager = 'argocd';
/** A loop that leaves a way back no time to be confirmed. */
const quickly = { times: 25, everyMs: 1_000 };
/** A rollback writes for five seconds, and then says that it cannot; the command that asks for it takes some time before. */
const writesForMs = 8_000;

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
  await early(stage, old, report); // Who gives users to a lane that is not up fails them.
  const load = stage.load(50);
  await raised(stage, old, report);
  await lowered(stage, old, report);
  await checkOutside({ ...stage, load }, report);
}

/** A weight for a candidate that is not up yet. */
async function early(stage: ClusterStage, old: string, report: Report): Promise<void> {
  const releasing = stage.start('release', ...(await stage.images('v2')), '--reason', 'early');
  await stage.until(({ release }) => release?.reason === 'early' && release.state.phase.kind === 'starting');
  const from = Date.now();
  await applyAgain(stage, raisedIn(old), { times: 2, everyMs });
  const { code, out } = await stage.run('status');
  const writes = await writesOf(stage, from);
  report.check(
    'a weight before the start is held under the name of its writer',
    code === 4 && out.includes(manager),
    out,
  );
  report.check('and nobody writes against it either', writes === 0, `${writes} in ${(2 * everyMs) / 1_000} s`);
  await apply(stage, old);
  await stage.until(({ release }) => release?.state.phase.kind === 'holding');
  const after = await stage.run('status');
  report.check('taken back, the release goes on', after.code === 3, after.out);
  await stage.run('rollback', '--reason', 'early');
  await releasing.ended;
}

async function raised(stage: ClusterStage, old: string, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v3');
  const route = raisedIn(old);
  const from = Date.now();
  await applyAgain(stage, route, slowly);
  const { code, out } = await stage.run('status');
  const writes = await writesOf(stage, from);
  report.check('a raised weight is held under the name of its writer', code === 4 && out.includes(manager), out);
  report.check('and nobody writes against it', writes === 0, `${writes} in ${(slowly.times * everyMs) / 1_000} s`);
  await back(stage, { releasing, route, old }, report);
}

/** A person rolls back while the loop goes on. */
async function back(
  stage: ClusterStage,
  { releasing, route, old }: { releasing: Awaited<ReturnType<typeof holding>>; route: string; old: string },
  report: Report,
): Promise<void> {
  const from = Date.now();
  const looping = applyAgain(stage, route, quickly);
  const asked = await stage.run('rollback', '--reason', 'raised');
  const { code, out, err } = await releasing.ended;
  const status = await stage.run('status');
  await looping;
  const writes = await writesOf(stage, from);
  report.check(
    'a way back that the loop keeps open calls a person',
    asked.code === 0 && code === 14,
    `${code} ${out} ${err}`,
  );
  report.check('who hears the name of the writer', status.code === 14 && status.out.includes(manager), status.out);
  const late = await writesOf(stage, from + writesForMs);
  report.check(
    'after some seconds in which it is written, and no longer',
    writes > 0 && late === 0,
    `${writes}, ${late} late`,
  );
  await apply(stage, old);
  await stage.until(({ release }) => release?.state.phase.kind === 'rolledBack');
  const after = await stage.run('status');
  report.check('taken back, the way back goes to its end', after.code === 5, after.out);
}

/** By the route of before the release, in which the candidate has no weight. */
async function lowered(stage: ClusterStage, old: string, report: Report): Promise<void> {
  const releasing = await holding(stage, 'v4');
  const from = Date.now();
  await applyAgain(stage, old, slowly);
  const { code, out } = await releasing.ended;
  const writes = await writesOf(stage, from);
  report.check(
    'a lowered weight is a rollback under the name of its writer',
    code === 11 && out.includes(manager),
    out,
  );
  report.check('and that is not fought either', writes <= 3, `${writes} in ${(slowly.times * everyMs) / 1_000} s`);
}

/** As it would lie in a repository. */
async function routeOf({ kubectl }: ClusterStage): Promise<string> {
  const { apiVersion, kind, metadata, spec } = JSON.parse(await kubectl(['get', 'httproute', 'ratings', '-o', 'json']));
  return JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec });
}

/** As it was before the release, but that the candidate has 40 %. */
function raisedIn(route: string): string {
  return route.replace('"weight":100', '"weight":60').replace('"weight":0', '"weight":40');
}

async function applyAgain(stage: ClusterStage, route: string, { times, everyMs }: typeof slowly): Promise<void> {
  for (let round = 0; round < times; round++) {
    await apply(stage, route);
    await sleep(everyMs);
  }
}

async function apply({ kubectl }: ClusterStage, route: string): Promise<void> {
  const as = ['--server-side', '--force-conflicts', `--field-manager=${manager}`];
  await kubectl(['apply', ...as, '-f', '-'], route);
}

async function writesOf({ namespace }: ClusterStage, from: number): Promise<number> {
  const asked = await requestsOf(`${namespace}:headgate-controller`, from, Date.now());
  return asked.filter(({ verb, requestURI }) => verb === 'patch' && requestURI.includes('/httproutes/')).length;
}
