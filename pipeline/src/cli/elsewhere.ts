/** What machines that share a registry and a key tell each other of a run. */
import { join } from 'node:path';
import { findSupervisor } from '@headgate/rollout';
import type { Sharing } from '../deploy/marks.ts';
import { identityOf } from '../deploy/place.ts';
import { readGit } from '../host/git.ts';
import { isPullRequest } from '../host/host.ts';
import type { JournalCopy } from '../journal/copy.ts';
import { openRegistryJournal } from '../journal/registry.ts';
import { runIdOf } from '../journal/runs.ts';
import { fetchTold } from '../journal/told.ts';
import type { App } from './open.ts';
import type { Shell } from './shell.ts';

/** `HEADGATE_REGISTRY` (`host:port/prefix`). CI hosts set what is not configured to nothing. */
export function namedRegistry({ env }: Shell): string | undefined {
  return env['HEADGATE_REGISTRY'] || undefined;
}

/** The release registry as far as it is there: the one that is named, or that of a local platform that runs. */
export async function registryIfThere(app: App, shell: Shell): Promise<string | undefined> {
  const named = namedRegistry(shell);
  if (named !== undefined) return named;
  const own = await findSupervisor(app.state, shell.signal);
  return own && registryOf(app, own.urls.registry);
}

export function registryOf({ spec }: Pick<App, 'spec'>, url: string): string {
  return `${new URL(url).host}/${spec.app}`;
}

/** What is shared in the registry, and by whom; `undefined` where nothing is. */
export function sharingOf(registry: string | undefined, { env, err }: Shell): Sharing | undefined {
  const secret = env['HEADGATE_CACHE_KEY'];
  if (registry === undefined || secret === undefined || secret === '') return undefined;
  return { registry, secret, writes: !isPullRequest(env), warn: (message: string) => err(`${message}\n`) };
}

export function journalCopyOf(sharing: ReturnType<typeof sharingOf>): JournalCopy | undefined {
  return sharing && openRegistryJournal({ ...sharing, repository: `${sharing.registry}/ci-journal` });
}

/** Asks the others about the delivery of the commit that lies here. */
export async function askElsewhere(app: App, shell: Shell): Promise<void> {
  if (!shell.env['HEADGATE_CACHE_KEY']) return;
  const registry = await registryIfThere(app, shell);
  const copy = journalCopyOf(sharingOf(registry, shell));
  if (copy === undefined) return;
  const { commit } = await readGit(app.folder, shell.signal);
  if (commit === undefined) return;
  const run = runIdOf({ ...identityOf(app.spec.app, { registry, environment: app.environment }), commit });
  await fetchTold({ folder: join(app.folder, '.headgate', 'runs', run), run }, copy, shell.signal);
}
