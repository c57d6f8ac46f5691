import { postWebhook, unreachable, webhookDocument } from '@headgate/rollout';
import type { CiHost, CommitStatus } from '../host/host.ts';
import { type Redact, redactDeep } from '../run/redact.ts';
import { formatMs } from './lines.ts';
import type { RunRecord } from './record.ts';

/** How a run of a target, or a release, came to its end. */
export type Ending = {
  readonly app: string;
  /** Of headgate.yaml; `undefined`: that of the file itself. */
  readonly environment: string | undefined;
  /** The target, or `release`. */
  readonly what: string;
  readonly exitCode: number;
  /** One sentence: for a release that of `why`. */
  readonly text: string;
  /** `undefined` where no commit says what was delivered. */
  readonly commit: string | undefined;
  readonly release: number | undefined;
  readonly actor: string;
};

/** How a release ended is told to the webhook by whoever drove it, and by nobody else. */
export type Told = { readonly byDriver: boolean };

/** Who hears of it besides the host's own page. */
export type Ears = {
  readonly host: Pick<CiHost, 'kind' | 'url' | 'mark'>;
  readonly webhook: string | undefined;
  readonly redact: Redact;
  /** Hears of an ear that could not be told. */
  readonly warn: (line: string) => void;
};

/** Tells the commit, and where there is news the webhook. Never throws: whatever cannot be told changes nothing about what has ended. */
export async function tellEnding(
  { byDriver, ...ending }: Ending & Told,
  { host, webhook, redact, warn }: Ears,
  signal: AbortSignal,
): Promise<void> {
  const { environment, what, exitCode, commit, release } = ending;
  const text = redact(ending.text);
  const state = stateOf(exitCode);
  const context = ['headgate', environment, what].filter((part) => part !== undefined).join('/');
  const tell = (ear: string, telling: Promise<unknown>) =>
    telling.catch((error: unknown) => warn(redact(`It has ended, and could not be told to ${ear}: ${String(error)}`)));
  const isNews = !byDriver && (exitCode !== 0 || release !== undefined);
  const news = webhookDocument({ ...ending, state, url: host.url, text });
  await Promise.all([
    commit === undefined ? undefined : tell('the commit', host.mark({ commit, context, state, text }, signal)),
    webhook === undefined || !isNews
      ? undefined
      : tell('the webhook', postWebhook(webhook, redactDeep(news, redact), signal)),
  ]);
}

/** README, "Exit codes". */
function stateOf(exitCode: number): CommitStatus['state'] {
  switch (exitCode) {
    case 0:
      return 'success';
    case 4:
    case 20:
      return 'pending'; // A person is waited for.
    case 2:
    case 69:
    case 75:
    case 130:
    case 143:
      return 'error'; // Of the machinery: it says nothing against the commit.
    default:
      return 'failure';
  }
}

/** What a run says of itself in one sentence. */
export function sentenceOf({ outcome, ms, steps }: RunRecord): string {
  switch (outcome) {
    case 'done': {
      const passedOver = steps.flatMap(({ id, end }) => (end.kind === 'skipped' ? [`${id}: ${end.why}`] : []));
      const remark = steps.at(-1)?.notes.findLast(({ level, file }) => level === 'notice' && file === undefined);
      return passedOver[0] ?? remark?.message ?? `done in ${formatMs(ms)}`;
    }
    case 'interrupted':
      return 'interrupted; the next run goes on';
    case 'failed': {
      const failed = steps.flatMap(({ id, end }) => (end.kind === 'failed' ? [`${id}: ${end.failure.message}`] : []));
      return failed[0] ?? 'failed';
    }
    default:
      return unreachable(outcome);
  }
}
