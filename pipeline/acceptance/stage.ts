import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  changeFileJournal,
  ensureSupervisor,
  openRecords,
  parseSpec,
  type Spec,
  stopSupervisor,
} from '@headgate/rollout';
import { userRequest } from '../src/perf/ledger.ts';
import { type Load, startLoad } from '../src/perf/open-loop.ts';
import { clearing } from './clearing.ts';
import { type Commands, openCommands, type Ran, type Running, repository, type Still, standStill } from './commands.ts';
import { openVersions } from './versions.ts';

/** A real app on real servers, and the hands of a person on the command line. */
export interface Stage extends AsyncDisposable, Omit<Commands, typeof Symbol.dispose> {
  readonly file: string;
  readonly spec: Spec;
  /** The local platform's folder. */
  readonly state: string;
  /** Where users' requests go, and what each carries. */
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What a driver runs with. */
  readonly env: NodeJS.ProcessEnv;
  /** NATS, as it is reached from here. */
  readonly nats: string;
  /** `service=image` of a version of the rating service, and the first one's proxy. */
  images(version: string): Promise<readonly string[]>;
  /** `proxy=image` of a version of that service. */
  proxy(version: string): Promise<string>;
  /** `headgate release` of a version of the rating service. */
  release(version: string, ...args: string[]): Promise<Ran>;
  load(perSecond: number): Load;
  /** On a cluster: what runs in a lane, in a text that any touch changes. */
  objects?(lane: string): Promise<string>;
  /** Stops whoever drives a release that `releasing` began. */
  standStill(releasing: Running): Promise<Still>;
}

/** What carries the weights on a cluster. */
export type Router = NonNullable<Spec['kubernetes']>['traffic']['kind'];

/** `release` is the block of headgate.yaml that matters. `router`: the Gateway API unless given; the local platform has a router of its own. */
export type OpenStage = (release: string, router?: Router) => Promise<Stage>;

export const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate');

type Place = Pick<Stage, 'file' | 'spec' | 'state' | 'origin' | 'headers' | 'env' | 'nats'> & {
  readonly commands: Commands;
  /** Where images go, e.g. `127.0.0.1:5000/ratings`. */
  readonly repositories: string;
  /** Folder for the sources of versions. */
  readonly sources: string;
};

/** What every stage can do, wherever its servers are. */
export function stageAt({ commands, repositories, sources, ...place }: Place): Omit<Stage, typeof Symbol.asyncDispose> {
  const image = openVersions(repository, sources, cache, repositories);
  const proxy = async (version: string) => `proxy=${await image('proxy', version)}`;
  const images = async (version: string) => [await proxy('v1'), `rating=${await image('rating', version)}`];
  const { origin, headers } = place;
  return {
    ...place,
    ...commands,
    images,
    proxy,
    release: async (version, ...args) =>
      commands.run('release', ...(await images(version)), '--reason', `acceptance: ${version}`, ...args),
    standStill: async ({ child: { pid } }) => standStill(pid === undefined ? [] : [pid]),
    load: (perSecond) => startLoad({ origin, headers, perSecond, make: userRequest }),
  };
}

export async function readSpec(file: string, environment?: string): Promise<Spec> {
  const parsed = parseSpec(await readFile(file, 'utf8'), { file, ...(environment !== undefined && { environment }) });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

/** On this machine, by the example's headgate.yaml. */
export async function openStage(release: string): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const file = join(folder, 'headgate.yaml');
  const example = await readFile(join(repository, 'headgate.yaml'), 'utf8');
  await writeFile(file, `${example.slice(0, example.indexOf('release:'))}release:\n${release}`);
  const spec = await readSpec(file);
  const state = join(folder, '.headgate');
  const { info } = await ensureSupervisor(
    { app: spec.app, folder: state, endWith: process.pid },
    AbortSignal.timeout(60_000),
  );
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const pace = { untilMs: 60_000, lookEveryMs: 30 };
  const { env } = process;
  const commands = openCommands({ file, app: spec.app, records: openRecords(spec, state), env, pace });
  const { http: origin, nats, registry } = info.urls;
  const repositories = `${new URL(registry).host}/${spec.app}`;
  const local = stageAt({ file, spec, state, origin, headers: {}, env, nats, commands, repositories, sources });
  return {
    ...local,
    // Not in the midst of a change of the journal's files: nobody else could change them until it goes on.
    standStill: (releasing) =>
      changeFileJournal(join(state, 'journal'), AbortSignal.timeout(60_000), async () => {
        const still = await local.standStill(releasing);
        await sleep(20); // Until it really stands.
        return still;
      }),
    [Symbol.asyncDispose]: clearing(async () => {
      commands[Symbol.dispose]();
      await stopSupervisor(state, AbortSignal.timeout(60_000));
      await rm(folder, { recursive: true, force: true });
      await rm(sources, { recursive: true, force: true });
    }),
  };
}
