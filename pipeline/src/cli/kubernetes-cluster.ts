/**
 * The cluster of an app on Kubernetes: the one that the kubeconfig names, or one on this machine by k3d or kind, with a registry that both
 * sides know as localhost. What Headgate made is on record by the ids of its containers; nothing else is stopped or taken down.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { freePort } from '@headgate/rollout/servers';
import { findPresent, type Present } from '../cluster/present.ts';
import { type Line, type Programs, runProgram } from '../cluster/programs.ts';
import {
  contextOf,
  deleteCluster,
  exists,
  firstTool,
  idOf,
  isRunning,
  isSame,
  makeCluster,
  type Named,
  nameOf,
  nodeOf,
  registryOf,
  startCluster,
  stopCluster,
} from '../cluster/tools.ts';
import { clusterEnvironment } from '../run/environment.ts';
import type { App } from './open.ts';
import { type Call, flag, type Shell, text } from './shell.ts';

/** A cluster that Headgate made. */
type Made = Named & {
  /** Of the container of its first node. */
  readonly id: string;
  /** As pods and this machine name it. */
  readonly registry: string;
  /** Of its container, where the tool does not look after it. */
  readonly registryId: string | undefined;
};

/** One call of `headgate cluster`. */
type Scene = Programs & {
  readonly app: App;
  readonly named: Named | undefined;
  /** What is on record. */
  readonly made: Made | undefined;
  readonly present: () => ReturnType<typeof findPresent>;
  readonly tell: (words: string, data: object) => number;
  readonly shell: Shell;
};

const verbs = { up, start, info, stop, down } as const satisfies Record<string, (scene: Scene) => Promise<number>>;

/** @throws {HeadgateError} `USAGE`, `REFUSED`, `TOOL_MISSING`, `STEP_FAILED` */
export async function kubernetesCluster(verb: string, app: App, call: Call, shell: Shell): Promise<number> {
  if (isVerb(verb)) return verbs[verb](await sceneOf(app, call, shell));
  throw new HeadgateError('USAGE', `Cannot show ${verb} of a cluster as only the local platform has all in one place`, {
    hint: `run \`kubectl logs --all-containers -l headgate.dev/app=${app.spec.app} -n ${app.spec.kubernetes?.namespace}\``,
  });
}

function isVerb(word: string): word is keyof typeof verbs {
  return Object.hasOwn(verbs, word);
}

async function sceneOf(app: App, call: Call, shell: Shell): Promise<Scene> {
  const [isPlan, json] = [flag(call, 'plan'), flag(call, 'json')];
  const kubeconfig = text(call, 'kubeconfig') ?? shell.env['HEADGATE_KUBECONFIG'] ?? shell.env['KUBECONFIG'];
  const env = { ...clusterEnvironment(shell.env), ...(kubeconfig && { KUBECONFIG: kubeconfig }) };
  const ask = (line: Line, input = '') => runProgram(line, input, { env, signal: shell.signal });
  const lines: string[] = [];
  return {
    app,
    named: namedIn(call),
    made: await readMade(app),
    present: () => findPresent(env, shell.signal),
    isPlan,
    env,
    ask,
    async act(line, input) {
      lines.push(line.join(' '));
      if (isPlan) return;
      shell.err(`${line.join(' ')}\n`);
      await ask(line, input);
    },
    tell(words, data) {
      const said = isPlan && lines.length > 0 ? lines.map((line) => `would run: ${line}`).join('\n') : words;
      shell.out(json ? `${JSON.stringify(isPlan ? { plan: lines, ...data } : data)}\n` : `${said}\n`);
      return 0;
    },
    shell,
  };
}

/** Docker's and the tools' own rule is wider; a longer name fits into no container's. @throws {HeadgateError} `USAGE` */
function namedIn(call: Call): Named | undefined {
  const [k3d, kind] = [text(call, 'k3d'), text(call, 'kind')];
  const name = k3d ?? kind;
  if (name === undefined) return undefined;
  if (k3d !== undefined && kind !== undefined) {
    throw new HeadgateError('USAGE', 'Cannot go on as a cluster is made by --k3d or by --kind, and not by both', {
      hint: 'leave one out',
    });
  }
  if (/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) return { tool: k3d === undefined ? 'kind' : 'k3d', name };
  throw new HeadgateError(
    'USAGE',
    `Cannot name a cluster so as it must be up to 32 lower-case letters, digits and dashes: current value is "${name}"`,
    { hint: 'give another name' },
  );
}

async function up(scene: Scene): Promise<number> {
  const { named, made, shell } = scene;
  if (named === undefined) {
    const there = await scene.present();
    if (there?.version !== undefined) return tellPresent(there, scene);
    if (there !== undefined) shell.err(`the cluster of context "${there.context}" does not answer\n`);
  }
  const wanted = named ?? made ?? { tool: firstTool(scene), name: scene.app.spec.app };
  const isThere = made !== undefined && (await idOf(nodeOf(made), scene)) === made.id;
  if (isThere && isSame(made, wanted)) return start(scene);
  if (await exists(wanted, scene)) {
    await startCluster(wanted, undefined, scene);
    const data = { ...wanted, context: contextOf(wanted), made: false, running: true };
    return scene.tell(`${nameOf(wanted)} runs. Headgate did not make it: to stop it is left to ${wanted.tool}`, data);
  }
  if (made !== undefined && !isThere) await forget(scene);
  if (isThere) throw refused(`make ${nameOf(wanted)}`, `Headgate has made ${nameOf(made)} for this already`);
  return make(wanted, scene);
}

async function start(scene: Scene): Promise<number> {
  const made = await ours('start', scene);
  await startCluster(made, made.registryId && registryOf(made), scene);
  return tellMade(made, true, scene);
}

async function stop(scene: Scene): Promise<number> {
  const made = await ours('stop', scene);
  await stopCluster(made, scene);
  return tellMade(made, false, scene);
}

async function info(scene: Scene): Promise<number> {
  const there = scene.made === undefined ? await scene.present() : undefined;
  if (there?.version !== undefined) return tellPresent(there, scene);
  const made = await ours('tell of', scene);
  return tellMade(made, await isRunning(made, scene), scene);
}

/** Safe to repeat, and after somebody else took it down. */
async function down(scene: Scene): Promise<number> {
  const { made, named } = scene;
  if (made === undefined && named === undefined && (await scene.present()) === undefined) {
    return scene.tell('nothing to do: Headgate has made no cluster here', { running: false });
  }
  const isMeant = made !== undefined && (named === undefined || isSame(made, named));
  const isGone = isMeant && (await idOf(nodeOf(made), scene)) === undefined;
  const { tool, name } = isGone ? made : await ours('take down', scene);
  if (!isGone) await deleteCluster({ tool, name }, scene);
  await forget(scene);
  const data = { tool, name, made: true, running: false };
  return scene.tell(`${nameOf({ tool, name })} is down, and what lay in its registry is gone`, data);
}

/** What is left when the cluster on record is gone. */
async function forget(scene: Scene): Promise<void> {
  const { made, app, isPlan } = scene;
  if (made?.registryId !== undefined && (await idOf(registryOf(made), scene)) === made.registryId) {
    await scene.act(['docker', 'rm', '--force', '--volumes', registryOf(made)]);
  }
  if (!isPlan) await rm(recordOf(app), { force: true });
}

/** The cluster on record, if it is still that one. @throws {HeadgateError} `REFUSED` */
async function ours(what: string, scene: Scene): Promise<Made> {
  const { made, named } = scene;
  if (made === undefined || (named !== undefined && !isSame(made, named))) {
    const other = named ?? (await scene.present());
    const which =
      other === undefined
        ? 'any cluster'
        : 'tool' in other
          ? nameOf(other)
          : `the cluster of context "${other.context}"`;
    throw refused(`${what} ${which}`, 'Headgate did not make it from here');
  }
  const id = await idOf(nodeOf(made), scene);
  if (id === made.id) return made;
  const why = id === undefined ? 'it is gone' : 'another cluster has its name now, which Headgate did not make';
  throw refused(`${what} ${nameOf(made)}`, why);
}

function refused(what: string, why: string): HeadgateError {
  return new HeadgateError('REFUSED', `Cannot ${what} as ${why}`, {
    hint: 'use the tool that made it; `headgate cluster info` says what Headgate has made',
  });
}

function tellPresent({ context, server, version }: Present, scene: Scene): number {
  const { made } = scene;
  if (made !== undefined && contextOf(made) === context) return tellMade(made, true, scene);
  const words = `takes the cluster of context "${context}", ${server}, Kubernetes ${version}: nothing was made`;
  return scene.tell(words, { context, server, version, made: false, running: true });
}

function tellMade(made: Made, running: boolean, scene: Scene): number {
  const { tool, name, registry } = made;
  const lines = [
    `cluster   ${nameOf(made)}, ${running ? 'runs' : 'stopped'}`,
    `context   ${contextOf(made)}`,
    `registry  ${registry}: export HEADGATE_REGISTRY=${registry}/${scene.app.spec.app}`,
  ];
  return scene.tell(lines.join('\n'), { tool, name, context: contextOf(made), registry, made: true, running });
}

async function make(wanted: Named, scene: Scene): Promise<number> {
  const port = await freePort();
  await makeCluster(wanted, { port, folder: scene.app.state }, scene);
  const registry = `localhost:${port}`;
  const data = { ...wanted, context: contextOf(wanted), registry, made: true };
  if (scene.isPlan) return scene.tell('', { ...data, running: false });
  const id = await idOf(nodeOf(wanted), scene);
  if (id === undefined) {
    throw new HeadgateError('STEP_FAILED', `Cannot note what was made as docker must have "${nodeOf(wanted)}"`, {
      hint: `take ${nameOf(wanted)} down by ${wanted.tool}, then run the same command again`,
    });
  }
  const registryId = wanted.tool === 'k3d' ? undefined : await idOf(registryOf(wanted), scene);
  const made: Made = { ...wanted, id, registry, registryId };
  await mkdir(scene.app.state, { recursive: true });
  await writeFile(recordOf(scene.app), `${JSON.stringify(made)}\n`);
  return tellMade(made, true, scene);
}

function recordOf({ state }: App): string {
  return join(state, 'cluster.json');
}

async function readMade(app: App): Promise<Made | undefined> {
  const written = await readFile(recordOf(app), 'utf8').catch(() => undefined); // Nothing was made.
  return written === undefined ? undefined : (JSON.parse(written) as Made); // By this same code.
}
