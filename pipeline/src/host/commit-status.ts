import { HeadgateError, withDeadline } from '@headgate/rollout';
import type { CommitStatus } from './host.ts';

const markMaxMs = 10_000;
/** GitHub refuses a longer description. */
const descriptionMaxChars = 140;
export const githubApi = 'https://api.github.com';

/** A repository on GitHub or GitHub Enterprise, and who writes there. */
export type StatusPlace = {
  /** With its path, as `https://github.example/api/v3`. */
  readonly api: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly token: string;
  /** Page that the status leads to; `undefined`: none. */
  readonly url: string | undefined;
  /** What gives whoever writes there the right to. */
  readonly hint: string;
};

/** Writes the status at its commit. @throws {HeadgateError} `STEP_FAILED` */
export async function writeStatus(
  { commit, context, state, text }: CommitStatus,
  { api, repository, token, url, hint }: StatusPlace,
  signal: AbortSignal,
): Promise<'marked'> {
  const description = text.length > descriptionMaxChars ? `${text.slice(0, descriptionMaxChars - 1)}…` : text;
  const body = JSON.stringify({ state, context, description, ...(url === undefined ? {} : { target_url: url }) });
  const to = `${api}/repos/${repository}/statuses/${commit}`;
  const unmarked = (value: string, cause: unknown) =>
    new HeadgateError(
      'STEP_FAILED',
      `Cannot tell a commit how it ended as ${to} must answer 201: current value is "${value}"`,
      { hint, cause },
    );
  const answer = await fetch(to, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, accept: 'application/vnd.github+json' },
    body,
    signal: withDeadline(signal, markMaxMs),
  }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw unmarked('no answer', cause);
  });
  await answer.arrayBuffer();
  if (answer.status !== 201) throw unmarked(String(answer.status), undefined);
  return 'marked';
}

/** As git and ssh write it without a scheme: `git@github.com:kim/ratings.git`. */
const withoutScheme = /^(?:[^@/]+@)?([^:/@]+):(?!\/\/)\/*(.+)$/;

/**
 * The `owner/name` of a clone's address on the server of this API; `undefined` if it lies on another one, which must not hear the
 * token that is for this one.
 */
export function repositoryOn(api: string, address: string): string | undefined {
  const [, server, path] = withoutScheme.exec(address) ?? [];
  const whole = server === undefined ? address : `ssh://${server}/${path}`;
  if (!URL.canParse(whole) || !URL.canParse(api)) return undefined;
  const { hostname, pathname } = new URL(whole);
  const host = hostname.toLowerCase().replace(/^ssh\.(?=github\.com$)/, ''); // Where ssh goes by the port of https.
  if (![host, `api.${host}`].includes(new URL(api).hostname)) return undefined;
  return /^\/*([^/]+\/[^/]+?)(?:\.git)?\/*$/.exec(pathname)?.[1];
}
