import { readHead } from '@headgate/rollout';
import type { CiHost } from '../host/host.ts';
import { type Ears, type Ending, tellEnding } from '../report/ending.ts';
import type { EndedRelease } from '../report/release.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import type { App } from './open.ts';
import type { Shell } from './shell.ts';

/** Who was told to go still tells this, and is gone before a CI host loses its patience. */
const tellMaxMs = { calm: 30_000, hurried: 2_000 } as const;

/** Tells how it ended to all who asked to hear of it. `HEADGATE_WEBHOOK` is for an address that is a secret. */
export async function tell(
  ending: Omit<Ending, 'app' | 'actor'>,
  app: App,
  { host, shell }: { readonly host: CiHost; readonly shell: Shell },
): Promise<void> {
  const { env, err, user: actor, signal } = shell;
  const { app: name, webhook } = app.spec;
  const ears: Ears = {
    host,
    webhook: env['HEADGATE_WEBHOOK'] || webhook,
    redact: redactor(secretsOf(env)),
    warn: (line) => err(`${line}\n`),
  };
  const within = AbortSignal.timeout(signal.aborted ? tellMaxMs.hurried : tellMaxMs.calm);
  await tellEnding({ ...ending, app: name, actor }, ears, within);
}

/** What the journal says of a release that has ended, in the sentence of `why`. */
export async function endOf(
  { journal, release }: Pick<EndedRelease, 'journal' | 'release'>,
  app: App,
): Promise<Pick<Ending, 'commit' | 'text'> | undefined> {
  const head = await readHead(journal, app.spec.app, AbortSignal.timeout(tellMaxMs.calm));
  const ended = head.history.find(({ id }) => id === release);
  if (ended === undefined) return undefined;
  const how = ended.outcome === 'promoted' ? 'is promoted' : 'was rolled back';
  return { commit: ended.commit, text: `release ${release} ${how}: ${ended.text}` };
}
