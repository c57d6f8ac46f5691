import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureSupervisor, openRecords, parseSpec, type ReadyInfo, type Spec, stopSupervisor } from '@headgate/rollout';
import { userRequest } from '../src/perf/ledger.ts';
import { type Load, startLoad } from '../src/perf/open-loop.ts';
import { type Commands, openCommands, type Ran, repository } from './commands.ts';
import { openVersions } from './versions.ts';

/** A real app on real servers, in a folder of its own, and the hands of a person on the command line. */
export interface Stage extends AsyncDisposable, Omit<Commands, typeof Symbol.dispose> {
  readonly file: string;
  readonly state: string;
  readonly spec: Spec;
  readonly info: ReadyInfo;
  image(service: 'proxy' | 'rating', version: string): Promise<string>;
  /** `headgate release` of a version of the rating service. */
  release(version: string, ...args: string[]): Promise<Ran>;
  load(perSecond: number): Load;
}

/** `release` is the block of headgate.yaml that differs from the example's. */
export async function openStage(release: string): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-acceptance-'));
  const file = join(folder, 'headgate.yaml');
  const example = await readFile(join(repository, 'headgate.yaml'), 'utf8');
  await writeFile(file, `${example.slice(0, example.indexOf('release:'))}release:\n${release}`);
  const parsed = parseSpec(await readFile(file, 'utf8'), { file });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { spec } = parsed;
  const state = join(folder, '.headgate');
  const { info } = await ensureSupervisor(
    { app: spec.app, folder: state, endWith: process.pid },
    AbortSignal.timeout(60_000),
  );
  const sources = join(repository, '.headgate', `acceptance-${process.pid}`);
  await mkdir(sources, { recursive: true });
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate');
  const image = openVersions(repository, sources, cache, `${new URL(info.urls.registry).host}/${spec.app}`);
  const pace = { untilMs: 60_000, lookEveryMs: 30 };
  const commands = openCommands({ file, app: spec.app, records: openRecords(spec, state), pace });
  return {
    file,
    state,
    spec,
    info,
    image,
    ...commands,
    async release(version, ...args) {
      const images = [`proxy=${await image('proxy', 'v1')}`, `rating=${await image('rating', version)}`];
      return commands.run('release', ...images, '--reason', `acceptance: ${version}`, ...args);
    },
    load: (perSecond) => startLoad({ origin: info.urls.http, perSecond, make: userRequest }),
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await stopSupervisor(state, AbortSignal.timeout(60_000));
      await rm(folder, { recursive: true, force: true });
      await rm(sources, { recursive: true, force: true });
    },
  };
}
