import { exitCodes, failureOfEnd, firstOf, type Handled, type Records, readHead } from '@headgate/rollout';
import type { CiHost } from '../host/host.ts';
import { type Ears, type Ending, type Told, tellEnding } from '../report/ending.ts';
import { type EndedRelease, tellRelease } from '../report/release.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { type App, openHostOf } from './open.ts';
import type { Shell } from './shell.ts';

type Patience = { readonly calm: number; readonly hurried: number };
/** Who was told to go still tells this, and is gone before a CI host loses its patience. */
const tellMaxMs: Patience = { calm: 30_000, hurried: 2_000 };
/** For all that is read of journals first: how it ended can be told without. */
const readMaxMs: Patience = { calm: 30_000, hurried: 1_000 };

/** Tells how it ended to all who asked to hear of it. */
export async function tell(
  ending: Omit<Ending, 'app' | 'actor' | 'environment'> & Told,
  app: App,
  { host, shell }: { readonly host: CiHost; readonly shell: Shell },
): Promise<void> {
  const { env, err, user: actor } = shell;
  const { environment, spec } = app;
  const ears: Ears = {
    host,
    webhook: webhookOf(app, shell),
    redact: redactor(secretsOf(env)),
    warn: (line) => err(`${line}\n`),
  };
  await tellEnding({ ...ending, environment, app: spec.app, actor }, ears, tellBefore(shell));
}

/** `HEADGATE_WEBHOOK` is for an address that is a secret. */
export function webhookOf({ spec }: App, { env }: Shell): string | undefined {
  return env['HEADGATE_WEBHOOK'] || spec.webhook;
}

/** When whoever was not told by then is not told any more. */
export function tellBefore({ signal }: Pick<Shell, 'signal'>): AbortSignal {
  return within(tellMaxMs, signal);
}

/** When what journals did not say by then is told without. */
export function readBefore({ signal }: Pick<Shell, 'signal'>): AbortSignal {
  return within(readMaxMs, signal);
}

/** Counts from now, and in a hurry from when this command is told to go. */
function within({ calm, hurried }: Patience, told: AbortSignal): AbortSignal {
  if (told.aborted) return AbortSignal.timeout(hurried);
  const soon = new AbortController();
  const hurry = () => setTimeout(() => soon.abort(told.reason), hurried).unref();
  told.addEventListener('abort', hurry, { once: true });
  return firstOf([soon.signal, AbortSignal.timeout(calm)]);
}

export type Telling = {
  readonly app: App;
  readonly journal: Records['journal'];
  readonly shell: Shell;
  /** This command applied the rolling update, which no driver tells of. */
  readonly rolled?: boolean;
};

/** The host's page and the commit hear how a release ended that this command has seen to its end; the webhook hears it of the driver. */
export async function tellHandled(handled: Handled, { app, journal, shell, rolled = false }: Telling): Promise<void> {
  if (handled.kind !== 'ended') return;
  const host = await openHostOf(app, shell);
  const { release } = handled;
  const one = { journal, release, environment: app.environment };
  const before = readBefore(shell);
  // A host that takes no report changes nothing about the release.
  const place = { host, root: app.folder, app: app.spec.app, env: shell.env };
  await tellRelease(one, place, before).catch((error: unknown) =>
    shell.err(`The release has ended, and could not be told to ${host.kind}: ${String(error)}\n`),
  );
  const end = await endOf(one, app, before).catch(() => undefined); // A promoted one that is still watched has none yet.
  if (end === undefined) return;
  const { text, commit, failure } = end;
  const exitCode = failure ? exitCodes[failure] : 0; // Of the release, whatever whoever asked for its way back makes of it.
  await tell({ what: 'release', exitCode, release, text, commit, byDriver: !rolled }, app, { host, shell });
}

/** What the journal says of a release that has ended, in the sentence of `why`. */
export async function endOf(
  { journal, release }: Pick<EndedRelease, 'journal' | 'release'>,
  app: Pick<App, 'spec'>,
  signal: AbortSignal,
): Promise<
  | (Pick<Ending, 'commit' | 'text'> & {
      readonly failure: ReturnType<typeof failureOfEnd>;
      readonly isRolling: boolean;
    })
  | undefined
> {
  const head = await readHead(journal, app.spec.app, signal);
  const ended = head.history.find(({ id }) => id === release);
  if (ended === undefined) return undefined;
  const failure = failureOfEnd(ended);
  const text = `release ${release} ${failure ? 'was rolled back' : 'is promoted'}: ${ended.text}`;
  return { commit: ended.commit, text, failure, isRolling: ended.strategy === 'rolling' };
}
