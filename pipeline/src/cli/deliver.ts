import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Emit, ensureSupervisor, exitCodes, HeadgateError, type Platform, readHead } from '@headgate/rollout';
import type { StepCache } from '../cache/cache.ts';
import { openFolderCache } from '../cache/folder.ts';
import { layered } from '../cache/layered.ts';
import { openRegistryCache } from '../cache/registry.ts';
import { defineDelivery, stepsOf, type Target } from '../deploy/delivery.ts';
import { openMarks } from '../deploy/marks.ts';
import { openPlace, type Place, repositoryOf } from '../deploy/place.ts';
import { observeRelease, openReleaser, ownReason, type Releasing } from '../deploy/release.ts';
import type { Releaser } from '../deploy/release-steps.ts';
import type { CiHost } from '../host/host.ts';
import { variablesOf } from '../perf/gate.ts';
import type { Part } from '../plan/graph.ts';
import { type PlannedStep, plan } from '../plan.ts';
import { parsePinned } from '../registry/client.ts';
import type { EndedRelease } from '../report/release.ts';
import type { Reporter } from '../report/report.ts';
import { failureOf } from '../run/failure.ts';
import { secretsOf } from '../run/secrets.ts';
import { type RunResult, run } from '../run.ts';
import { journalCopyOf, namedRegistry, registryIfThere, registryOf, sharingOf } from './elsewhere.ts';
import { type App, openJournal, openPorts } from './open.ts';
import { handsFor, isForPeople, lineOf } from './present.ts';
import type { Shell } from './shell.ts';

/** What is delivered. */
export type Delivery = {
  readonly app: App;
  readonly host: Pick<CiHost, 'change' | 'kind' | 'url'>;
  /** Lint and unit tests first. */
  readonly check: boolean;
  /** `undefined`: nobody gave one. */
  readonly reason: string | undefined;
  /** Steps at a time; as many as the machine lets it unless given. */
  readonly concurrency?: number | undefined;
  /** As in `RunOptions`. */
  readonly part?: Part;
  /** Whoever runs this says yes to the release by it, where the app has approvers. */
  readonly approve?: boolean;
  /** The app in its environment `staging`, if there is one and it is not the one that is delivered to. */
  readonly staging?: App | undefined;
  /** Images by service that the performance gate takes for the old version, instead of what is live. It is played without a staging too. */
  readonly against?: Readonly<Record<string, string>>;
  /** Hears of each release that has ended, however it did. */
  readonly onEnd?: (ended: EndedRelease) => void;
  /** Hears of the release that has begun, which is left to the controller then. Absent: it is seen to its end. */
  readonly onBegun?: Releasing['onBegun'];
};

/** Who carries it out. */
export type Means = {
  /** `undefined`: opened when there is something to release, and not before. */
  readonly ports: Platform | undefined;
  readonly emit: Emit;
  readonly reporters: readonly Reporter[];
};

/** Runs a target and everything before it. */
export async function deliver(
  delivery: Delivery,
  target: Target,
  { ports, emit, reporters }: Means,
  shell: Shell,
): Promise<RunResult> {
  const { app } = delivery;
  await using hands = ports && handsFor(app, ports, shell, emit);
  const releaserOf = (releasing: Commission) =>
    hands === undefined
      ? lazyReleaser(app, releasing, shell)
      : openReleaser(hands, { ...releasing, spec: app.spec, options: app.options });
  const registry = target === 'check' ? namedRegistry(shell) : await releaseRegistry(app, shell);
  const mayBeBlind = target === 'check' || target === 'images';
  const { pipeline, options } = await prepare(delivery, target, { registry, releaserOf, mayBeBlind }, shell);
  const { concurrency } = delivery;
  return await run(pipeline, { ...options, ...(concurrency && { concurrency }), reporters });
}

/** What `deliver` would do. Starts nothing: what does not run is named in the plan. */
export async function planDelivery(delivery: Delivery, target: Target, shell: Shell): Promise<readonly PlannedStep[]> {
  const { app } = delivery;
  const releaserOf = (releasing: Commission) => lazyReleaser(app, releasing, shell);
  const registry = await registryIfThere(app, shell);
  const { pipeline, options } = await prepare(delivery, target, { registry, releaserOf, mayBeBlind: true }, shell);
  return await plan(pipeline, options);
}

/** The same wherever it goes. */
type Commission = Omit<Releasing, 'spec' | 'options'>;

type Ways = {
  readonly registry: string | undefined;
  readonly releaserOf: (releasing: Commission) => Releaser;
  /** Goes on without knowing what is live where the cluster cannot be reached, as from the machine of a pull request. */
  readonly mayBeBlind: boolean;
};

async function prepare(delivery: Delivery, target: Target, { registry, releaserOf, mayBeBlind }: Ways, shell: Shell) {
  const { app, host, check, reason, approve = false, onEnd = () => {}, onBegun, against, staging: before } = delivery;
  const { spec, folder: root } = app;
  const { env, signal } = shell;
  const change = await host.change(signal);
  const releasing = { root, env, change, reason, verifyKey: env['HEADGATE_VERIFY_KEY'] };
  const ended = (from: Pick<EndedRelease, 'journal' | 'environment'>) => ({
    ...releasing,
    onEnd: (release: number) => onEnd({ ...from, release }),
    onBegun: undefined, // What comes after staging needs its end.
  });
  const releaser = releaserOf({ ...ended({ journal: openJournal(app).journal, environment: undefined }), onBegun });
  const staging =
    before && lazyReleaser(before, ended({ journal: openJournal(before).journal, environment: 'staging' }), shell);
  const builder = env['HEADGATE_BUILDER'] || 'oci';
  const live = await (mayBeBlind ? liveIfSeen(app, target, shell) : liveOf(app, signal));
  const cached = cacheFolder(shell);
  const sharing = sharingOf(registry, shell);
  // Several machines by their registry, which share nothing in it; check has no secret, and needs none.
  if (sharing === undefined && host.kind !== 'local' && namedRegistry(shell) !== undefined && target !== 'check')
    shell.err('HEADGATE_CACHE_KEY is not set: each machine makes and tests again what another one has\n');
  const marks = openMarks(cached, sharing);
  const priority = priorityOf(shell);
  const place = await openPlace(
    { spec, root, cache: cached, builder, registry, marks, live: live?.images, liveEnv: live?.env, priority },
    signal,
  );
  const sign = signingOf(shell);
  const yesOf = approve ? shell.person : undefined;
  const asking = { verifyKey: releasing.verifyKey, secret: sign?.secret, yesOf, reason: reason ?? ownReason };
  const pipeline = defineDelivery(place, releaser, {
    ...{ environment: app.environment, check, staging, against, sign, asking },
  });
  const cache = cacheFor(place, sharing);
  const copy = change.commit === undefined ? undefined : journalCopyOf(sharing); // Without a commit it is nobody else's run.
  const targets = stepsOf(target, pipeline);
  const { part } = delivery;
  return {
    pipeline,
    options: { root, change, url: host.url, env, cache, copy, secrets: secretsOf(env), targets, ...part, signal },
  };
}

/** The folder, and with `HEADGATE_CACHE_KEY` also the registry, where other machines find what was made here. */
function cacheFor(place: Place, sharing: ReturnType<typeof sharingOf>): StepCache {
  const { root, spec } = place;
  const folder = openFolderCache(join(root, '.headgate', 'cache'));
  if (sharing === undefined) return folder;
  const published = Object.keys(spec.services).map((service) => repositoryOf(place, service));
  if (spec.baseImage !== undefined) published.push(parsePinned(spec.baseImage).repository);
  return layered(folder, openRegistryCache({ ...sharing, repository: `${sharing.registry}/ci-cache`, published }));
}

function priorityOf({ env }: Shell): 'usual' | undefined {
  const value = env['HEADGATE_PRIORITY'] || undefined;
  if (value === undefined || value === 'usual') return value;
  throw new HeadgateError(
    'USAGE',
    `Cannot use HEADGATE_PRIORITY as it must be "usual", or not be set: current value is "${value}"`,
    { hint: 'unset it: the performance gate then goes before others on this machine, where it may' },
  );
}

/** The key itself stays a secret of the run: a step asks for it by name. */
function signingOf({ env }: Shell): { secret: string } | undefined {
  return env['HEADGATE_SIGNING_KEY'] ? { secret: 'HEADGATE_SIGNING_KEY' } : undefined;
}

/** Looks by the journal alone; the app's servers start when there is something to release. */
function lazyReleaser(app: App, releasing: Commission, shell: Shell): Releaser {
  const { spec, options } = app;
  return {
    observe: (images, stage, signal) =>
      observeRelease(openJournal(app).journal, { ...releasing, spec }, { images, stage }, signal),
    async release(images, told, signal) {
      await using ports = await openPorts(app, shell);
      const emit: Emit = (occurrence) => {
        if (isForPeople(occurrence)) told.log(lineOf(occurrence, shell));
      };
      await using hands = handsFor(app, ports, shell, emit);
      return await openReleaser(hands, { ...releasing, spec, options }).release(images, told, signal);
    },
  };
}

/** The release registry: the one that the user names, or the local platform's own, which is started when it does not run yet. */
export async function releaseRegistry(app: App, shell: Shell): Promise<string> {
  const named = namedRegistry(shell);
  if (named !== undefined) return named;
  const { info } = await ensureSupervisor({ app: app.spec.app, folder: app.state }, shell.signal);
  return registryOf(app, info.urls.registry);
}

/** By service, each pinned; `undefined` before the first release. */
export async function liveImages(app: App, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined> {
  return (await liveOf(app, signal))?.images;
}

/** The images of live, and the variables that its services run with. */
async function liveOf(app: App, signal: AbortSignal) {
  const head = await readHead(openJournal(app).journal, app.spec.app, signal);
  const live = head.live === undefined ? undefined : head.lanes[head.live];
  if (live === undefined) return undefined;
  const { digests, repositories, template } = live;
  return {
    images: Object.fromEntries(
      Object.entries(digests).map(([name, digest]) => [name, `${repositories[name]}@${digest}`]),
    ),
    env: variablesOf(template.services),
  };
}

/** What is not known is said: images are tested by themselves then, and the job that publishes them crosses them with live. */
async function liveIfSeen(app: App, target: Target, { err, signal }: Shell) {
  if (target === 'check') return undefined; // Which asks nothing of any version.
  return liveOf(app, signal).catch((error: unknown) => {
    if (failureOf(error).exitCode !== exitCodes.CLUSTER_UNREACHABLE) throw error;
    err(`What is live is not known here, so nothing is compared with it: ${failureOf(error).message}\n`);
    return undefined;
  });
}

/** Shared by all apps of this user: base images and unpacked images, by content. */
function cacheFolder(shell: Shell): string {
  return join(shell.env['XDG_CACHE_HOME'] ?? join(shell.env['HOME'] ?? homedir(), '.cache'), 'headgate');
}
