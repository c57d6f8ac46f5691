import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  ensureSupervisor,
  type Head,
  openRecords,
  parseSpec,
  type ReadyInfo,
  readHead,
  type Spec,
  stopSupervisor,
} from '@headgate/rollout';
import { ratingOf } from '../src/perf/ledger.ts';
import { type Load, startLoad } from '../src/perf/open-loop.ts';
import { openVersions } from './versions.ts';

const repository = join(import.meta.dirname, '../..');
const bin = join(repository, 'pipeline/dist/cli/bin.js');

export type Ran = { readonly code: number; readonly out: string; readonly err: string };
export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ran> };

/** A real app on real servers, in a folder of its own, and the hands of a person on the command line. */
export interface Stage extends AsyncDisposable {
  readonly file: string;
  readonly state: string;
  readonly spec: Spec;
  readonly info: ReadyInfo;
  image(service: 'proxy' | 'rating', version: string): Promise<string>;
  /** Starts `headgate <args>` in a process of its own. */
  start(...args: string[]): Running;
  run(...args: string[]): Promise<Ran>;
  /** `headgate release` of a version of the rating service. */
  release(version: string, ...args: string[]): Promise<Ran>;
  head(): Promise<Head>;
  /** Waits until `holds` is true of the journal's head. */
  until(holds: (head: Head) => boolean, ms?: number): Promise<Head>;
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
  const children = new Set<ChildProcess>();
  const records = openRecords(spec, state);

  function start(...[name = '', ...args]: string[]): Running {
    const child = spawn(process.execPath, [bin, name, '--file', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    return { child, ended: endOf(child).finally(() => children.delete(child)) };
  }
  const head = () => readHead(records.journal, spec.app, AbortSignal.timeout(30_000));
  return {
    file,
    state,
    spec,
    info,
    image,
    start,
    head,
    run: (...args) => start(...args).ended,
    async release(version, ...args) {
      const images = [`proxy=${await image('proxy', 'v1')}`, `rating=${await image('rating', version)}`];
      return start('release', ...images, '--reason', `acceptance: ${version}`, ...args).ended;
    },
    async until(holds, ms = 60_000) {
      for (const end = Date.now() + ms; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 30))) {
        const seen = await head();
        if (holds(seen)) return seen;
      }
      throw new Error(
        `The journal did not get there within ${ms} ms: ${JSON.stringify((await head()).release?.state)}`,
      );
    },
    load: (perSecond) => startLoad({ origin: info.urls.http, perSecond, make: request }),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await stopSupervisor(state, AbortSignal.timeout(60_000));
      await rm(folder, { recursive: true, force: true });
      await rm(sources, { recursive: true, force: true });
    },
  };
}

function request(n: number, id: string) {
  return n % 2 === 0
    ? ({ method: 'GET', path: '/api/ratings?limit=10', body: undefined } as const)
    : ({ method: 'POST', path: '/api/ratings', body: ratingOf(id) } as const);
}

async function endOf(child: ChildProcess): Promise<Ran> {
  if (child.stdout === null || child.stderr === null) throw new Error('its output is piped');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode ?? 128, out, err };
}
