import type { Occurrence } from '../engine/occurrence.ts';
import type { Phase } from '../policy/phase.ts';

/** What whoever asked to hear of an app's releases is told: how one ended, or what somebody did by hand. */
export type Notice = {
  readonly what: 'release' | 'act';
  /** As in README, "Exit codes": 0, or 11 for a release that was rolled back. */
  readonly exitCode: 0 | 11;
  /** One sentence: for a release that of `why`. */
  readonly text: string;
  readonly commit: string | undefined;
  readonly release: number;
  /** Who started the release; who acted is in the text. */
  readonly actor: string;
};

/** Of a decision that is in the journal. The driver makes each once, and so there is one notice of each, whoever else waits. */
export function noticesOf(occurrence: Occurrence): readonly Notice[] {
  if (occurrence.kind !== 'decided') return [];
  const { release, decision, at } = occurrence;
  const { id, revision, actor } = release;
  const about = { commit: revision.commit, release: id, actor };
  const done = decision.answers.filter(({ kind }) => kind === 'done');
  const acts = done.map(
    ({ text }) => ({ what: 'act', exitCode: 0, text: `release ${id}: ${text}`, ...about }) as const,
  );
  const { phase } = decision.state;
  // A decision about something else, such as a pin, finds it ended.
  const end = phase.since === at ? endOf(phase, id, decision.why) : undefined;
  return end === undefined ? acts : [...acts, { what: 'release', ...end, ...about }];
}

function endOf(phase: Phase, id: number, why: string): Pick<Notice, 'exitCode' | 'text'> | undefined {
  if (phase.kind === 'promoted') return { exitCode: 0, text: `release ${id} is promoted: ${why}` };
  if (phase.kind === 'rolledBack') return { exitCode: 11, text: `release ${id} was rolled back: ${phase.reason.text}` };
  return undefined;
}

/** What happened, to whom it may concern. */
export type News = Omit<Notice, 'exitCode' | 'what' | 'release'> & {
  readonly what: string;
  readonly exitCode: number;
  readonly release: number | undefined;
  readonly app: string;
  /** Of headgate.yaml; `undefined`: that of the file itself. */
  readonly environment?: string | undefined;
  readonly state: string;
  /** Of the job, where there is one. */
  readonly url?: string | undefined;
};

/** What a webhook hears, with `text` for people as chats take it. */
export function webhookDocument(news: News): Readonly<Record<string, unknown>> {
  const { app, environment, what, text } = news;
  const place = environment === undefined ? app : `${app} ${environment}`;
  return { ...news, version: 1, text: `${place}, ${what}: ${text}` };
}

/** Of a notice. */
export function newsOf(
  notice: Notice,
  place: Pick<News, 'app' | 'environment' | 'url'>,
): Readonly<Record<string, unknown>> {
  return webhookDocument({ ...notice, ...place, state: notice.exitCode === 0 ? 'success' : 'failure' });
}
