import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Emit, ensureSupervisor, HeadgateError, type Platform, readHead, type Spec } from '@headgate/rollout';
import type { StepCache } from '../cache/cache.ts';
import { openFolderCache } from '../cache/folder.ts';
import { layered } from '../cache/layered.ts';
import { openRegistryCache } from '../cache/registry.ts';
import { defineDelivery, stepsOf, type Target, targets } from '../deploy/delivery.ts';
import { observeRelease, openReleaser, type Releasing } from '../deploy/release.ts';
import type { Releaser } from '../deploy/release-steps.ts';
import { requireHistory } from '../host/git.ts';
import { type CiHost, openHost } from '../host/host.ts';
import { plan } from '../plan.ts';
import { filesReporter } from '../report/files.ts';
import { jsonReporter } from '../report/json.ts';
import { type RunRecord, recordReporter } from '../report/record.ts';
import { type EndedRelease, tellRelease } from '../report/release.ts';
import type { Reporter } from '../report/report.ts';
import { summaryOf } from '../report/summary.ts';
import { secretsOf } from '../run/secrets.ts';
import { type RunResult, run } from '../run.ts';
import { type App, appOptions, openApp, openEnvironment, openJournal, openPorts } from './open.ts';
import { handsFor, lineOf, presenter } from './present.ts';
import { flag, type Shell, type Subcommand, text } from './shell.ts';

export const command: Subcommand = {
  usage: 'check|images|publish|staging|perf|production|deliver [--plan]',
  help: 'Runs a target and everything before it: check, images (build and image test), publish, staging and perf where headgate.yaml has that environment, production. What has not changed is not done again.',
  options: {
    ...appOptions,
    plan: { type: 'boolean', help: 'say what would be done, and why; do nothing' },
    'skip-check': { type: 'boolean', help: 'leave out lint and unit tests' },
    reason: { type: 'string', help: 'one sentence for the record' },
  },
  positionals: { min: 1, max: 1 },
  async run(call, shell) {
    const target = call.positionals[0] ?? '';
    if (!isTarget(target)) {
      throw new HeadgateError('USAGE', `Cannot run "${target}" as the target must be one of ${targets.join(', ')}`, {
        hint: 'run `headgate run --help`',
      });
    }
    const app = await openApp(call, shell);
    if (releasing.has(target)) await requireHistory(app.folder, shell.signal);
    await using ports = await openPorts(app, shell);
    const { out: write, env, guard, isTerminal } = shell;
    const host = await openHost({ root: app.folder, env, write, guard, isTerminal });
    const json = flag(call, 'json');
    const ended: EndedRelease[] = [];
    const delivering = {
      onEnd: (one: EndedRelease) => void ended.push(one),
      app,
      ports,
      host,
      emit: presenter(shell, json),
      check: !flag(call, 'skip-check'),
      reason: text(call, 'reason') ?? 'a run of deliver',
      staging: text(call, 'environment') === 'staging' ? undefined : await openEnvironment(call, 'staging', shell),
    };
    if (flag(call, 'plan')) return await showPlan(delivering, target, json, shell);
    let record: RunRecord | undefined;
    const reporters = [
      json ? jsonReporter(shell.out) : host.reporter(),
      filesReporter(join(app.folder, 'out')),
      recordReporter((whole) => {
        record = whole;
      }),
    ];
    const result = await deliver(delivering, target, reporters, shell);
    await tell(host, { target, record, result, ended, root: app.folder }, shell);
    return result.exitCode;
  },
};

const tellMaxMs = 30_000;

/** Targets that end in a release, which must know how commits follow each other. */
const releasing: ReadonlySet<Target> = new Set(['staging', 'perf', 'production', 'deliver']);

export type Delivering = {
  readonly app: App;
  readonly ports: Platform;
  readonly host: Pick<CiHost, 'change'>;
  readonly emit: Emit;
  /** Lint and unit tests first. */
  readonly check: boolean;
  readonly reason: string;
  /** The app in its environment `staging`, if there is one and it is not the one that is delivered to. */
  readonly staging?: App | undefined;
  /** Hears of each release that has ended, however it did. */
  readonly onEnd?: (ended: EndedRelease) => void;
};

/** Runs a target and everything before it. */
export async function deliver(
  delivering: Delivering,
  target: Target,
  reporters: readonly Reporter[],
  shell: Shell,
): Promise<RunResult> {
  const { pipeline, options } = await prepare(delivering, target, shell);
  return await run(pipeline, { ...options, reporters });
}

type Told = {
  readonly target: Target;
  readonly record: RunRecord | undefined;
  readonly result: RunResult;
  readonly ended: readonly EndedRelease[];
  readonly root: string;
};

/** How it ended, for people and for jobs that follow. A host that takes no report changes nothing about the run. */
async function tell(host: CiHost, { target, record, result, ended, root }: Told, shell: Shell): Promise<void> {
  const { run: id, outcome, exitCode } = result;
  try {
    if (record !== undefined) await host.summarize(summaryOf(record));
    // Whoever was told to go tells this still: it reads a journal and writes two files.
    for (const one of ended) await tellRelease(one, { host, root }, AbortSignal.timeout(tellMaxMs));
    await host.output({ run: id, target, outcome, 'exit-code': String(exitCode) });
  } catch (error) {
    shell.err(`The run has ended, and could not be told to ${host.kind}: ${String(error)}\n`);
  }
}

async function showPlan(delivering: Delivering, target: Target, json: boolean, shell: Shell): Promise<number> {
  const { pipeline, options } = await prepare(delivering, target, shell);
  const planned = await plan(pipeline, options);
  shell.out(json ? `${JSON.stringify(planned)}\n` : planned.map((step) => `${JSON.stringify(step)}\n`).join(''));
  return 0;
}

async function prepare(delivering: Delivering, target: Target, shell: Shell) {
  const { app, ports, host, emit, check, reason, onEnd = () => {} } = delivering;
  const { spec, folder: root } = app;
  const change = await host.change(shell.signal);
  const verifyKey = shell.env['HEADGATE_VERIFY_KEY'];
  const releasing = { root, env: shell.env, change, reason, verifyKey };
  const ended = (from: Pick<EndedRelease, 'journal' | 'environment'>) => ({
    ...releasing,
    onEnd: (release: number) => onEnd({ ...from, release }),
  });
  const own = ended({ journal: ports.journal, environment: undefined });
  const releaser = openReleaser(handsFor(app, ports, shell, emit), { spec, ...own });
  const live = await liveImages(ports, spec, shell.signal);
  const place = { spec, root, cache: cacheFolder(shell), registry: await registryFor(app, shell), live };
  const before = delivering.staging;
  const staging =
    before && stagingReleaser(before, ended({ journal: openJournal(before).journal, environment: 'staging' }), shell);
  const pipeline = defineDelivery(place, releaser, { check, staging, sign: signingOf(shell) });
  const { env, signal } = shell;
  const cache = cacheFor(root, place.registry, shell);
  return {
    pipeline,
    options: { root, change, env, cache, secrets: secretsOf(env), targets: stepsOf(target, pipeline), signal },
  };
}

/** The folder, and with `HEADGATE_CACHE_KEY` also the registry, where other machines find what was made here. */
function cacheFor(root: string, registry: string, { env, err }: Shell): StepCache {
  const folder = openFolderCache(join(root, '.headgate', 'cache'));
  const secret = env['HEADGATE_CACHE_KEY'];
  if (secret === undefined || secret === '') return folder;
  const writes = env['GITHUB_EVENT_NAME'] !== 'pull_request'; // Its code is not ours yet.
  const warn = (message: string) => err(`${message}\n`);
  return layered(folder, openRegistryCache({ repository: `${registry}/ci-cache`, secret, writes, warn }));
}

/** The key itself stays a secret of the run: a step asks for it by name. */
function signingOf({ env }: Shell): { secret: string } | undefined {
  return env['HEADGATE_SIGNING_KEY'] ? { secret: 'HEADGATE_SIGNING_KEY' } : undefined;
}

/** Looks by the journal alone; the servers of staging start when there is something to release. */
function stagingReleaser(app: App, releasing: Omit<Releasing, 'spec'>, shell: Shell): Releaser {
  const { spec } = app;
  return {
    observe: (images, signal) => observeRelease(openJournal(app).journal, { ...releasing, spec }, images, signal),
    async release(images, log, signal) {
      await using ports = await openPorts(app, shell);
      const emit: Emit = (occurrence) => {
        if (occurrence.kind !== 'looked') log(lineOf(occurrence, shell));
      };
      await openReleaser(handsFor(app, ports, shell, emit), { ...releasing, spec }).release(images, log, signal);
    },
  };
}

/** The release registry: `HEADGATE_REGISTRY` (`host:port/prefix`), or the local platform's own. */
async function registryFor({ spec, state }: App, shell: Shell): Promise<string> {
  const named = shell.env['HEADGATE_REGISTRY'];
  if (named !== undefined && named !== '') return named; // CI hosts set what is not configured to nothing.
  const { info } = await ensureSupervisor({ app: spec.app, folder: state }, shell.signal);
  return `${new URL(info.urls.registry).host}/${spec.app}`;
}

async function liveImages(
  ports: Platform,
  spec: Spec,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | undefined> {
  const head = await readHead(ports.journal, spec.app, signal);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  return live === undefined
    ? undefined
    : Object.fromEntries(
        Object.entries(live.digests).map(([name, digest]) => [name, `${live.repositories[name]}@${digest}`]),
      );
}

/** Shared by all apps of this user: base images and unpacked images, by content. */
function cacheFolder(shell: Shell): string {
  return join(shell.env['XDG_CACHE_HOME'] ?? join(shell.env['HOME'] ?? homedir(), '.cache'), 'headgate');
}

function isTarget(word: string): word is Target {
  return (targets as readonly string[]).includes(word);
}
