import {
  both,
  type Emit,
  exitCodes,
  failureOfEnd,
  type Handled,
  type Hands,
  isExpected,
  newsOf,
  type Occurrence,
  openNotifier,
  type Platform,
  phaseText,
  postWebhook,
} from '@headgate/rollout';
import { hiderOf, lastWordsOf, withLastWords } from '../report/last-words.ts';
import { redactDeep, redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { type Telling, tellBefore, tellHandled, webhookOf } from './ending.ts';
import { type App, openHostOf, openPorts } from './open.ts';
import { paint, type Shell } from './shell.ts';

/** The engine's occurrences as lines for a person, or as JSON lines for a script. */
export function presenter(shell: Shell, json: boolean): Emit {
  let lastUnseen = '';
  return (occurrence) => {
    if (json) {
      if (occurrence.kind !== 'looked') shell.out(`${JSON.stringify(occurrence)}\n`);
      return;
    }
    if (!isForPeople(occurrence)) return;
    const line = lineOf(occurrence, shell);
    if (occurrence.kind === 'unseen' && line === lastUnseen) return; // Once is enough until something else is unseen.
    if (occurrence.kind === 'unseen') lastUnseen = line;
    shell.out(`${clock(occurrence.at)} ${line}\n`);
  };
}

type ForPeople = Exclude<Occurrence, { kind: 'looked' }>;

/** That a release waits for evidence or for time is no line of its own: `status` says how long. */
export function isForPeople(occurrence: Occurrence): occurrence is ForPeople {
  return occurrence.kind !== 'looked' && (occurrence.kind !== 'held' || !isExpected(occurrence.reason));
}

/** One occurrence as a line. */
export function lineOf(occurrence: ForPeople, shell: Shell): string {
  switch (occurrence.kind) {
    case 'decided': {
      const { release, decision, at } = occurrence;
      const { kind } = decision.state.phase;
      const back = kind === 'rollingBack' || kind === 'returning' || kind === 'rolledBack';
      const colour = back ? 'red' : kind === 'watching' || kind === 'promoted' ? 'green' : 'cyan';
      return `release ${release.id} ${paint(shell, colour, phaseText({ ...release, state: decision.state }, at).replace(/ for 0 s$/, ''))}: ${decision.why}`;
    }
    case 'held':
      return paint(
        shell,
        'yellow',
        `release ${occurrence.release.id} is held (${occurrence.reason}): ${occurrence.why}`,
      );
    case 'commandFailed':
      return paint(shell, 'yellow', `${occurrence.command} did not get through, asking again: ${occurrence.message}`);
    case 'unseen':
      return paint(shell, 'yellow', `${occurrence.port} cannot be seen: ${occurrence.message}`);
  }
}

export function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 19);
}

/** Closing them waits until what they drove is told to the webhook. */
export function handsFor(app: App, ports: Platform, shell: Shell, emit: Emit): Hands & AsyncDisposable {
  const notifier = notifierFor(app, shell);
  return {
    ports,
    spec: app.spec,
    open: (spec) => openPorts({ ...app, spec }, shell, true),
    actor: shell.user,
    emit: both(emit, notifier.emit),
    [Symbol.asyncDispose]: () => notifier[Symbol.asyncDispose](),
    say: (words) => shell.err(`${words}\n`),
    signal: shell.signal,
  };
}

function notifierFor(app: App, shell: Shell) {
  const { environment, spec } = app;
  const redact = redactor(secretsOf(shell.env));
  const webhook = webhookOf(app, shell);
  return openNotifier(
    async (notice) => {
      if (webhook === undefined) return;
      const { url } = await openHostOf(app, shell);
      const news = newsOf(notice, { app: spec.app, environment, url });
      await postWebhook(webhook, redactDeep(news, redact), tellBefore(shell));
    },
    (error) => shell.err(redact(`It has ended, and could not be told to the webhook: ${String(error)}\n`)),
  );
}

/** As `finish`; and whoever is to hear of what has ended is told. */
export async function conclude(handled: Handled, telling: Telling, wantedBack: boolean): Promise<number> {
  const { app, shell } = telling;
  const exitCode = finish(handled, shell, wantedBack);
  if (handled.kind === 'ended' && exitCode !== 0) await annotateEnd(handled, app, shell);
  await tellHandled(handled, telling);
  return exitCode;
}

/** Beside the job, where its host has a place for that. */
async function annotateEnd({ head, release }: Extract<Handled, { kind: 'ended' }>, app: App, shell: Shell) {
  const host = await openHostOf(app, shell);
  const text = hiderOf(head, shell.env)(head.history.find(({ id }) => id === release)?.text ?? '');
  const message = withLastWords(text, lastWordsOf(head, release, shell.env));
  host.annotate(`release ${release} was rolled back`, { level: 'error', message });
}

/** What holds again after the way back. */
const restored = { ROLLED_BACK: 'traffic is where it was', UPDATE_FAILED: 'live serves what it had' } as const;

/** Exit code of an act, and its last line. */
export function finish(handled: Handled, shell: Shell, wantedBack: boolean): number {
  switch (handled.kind) {
    case 'nothing':
    case 'superseded':
    case 'begun':
    case 'done':
      shell.out(`${handled.text}\n`);
      return 0;
    case 'refused':
      shell.err(`${paint(shell, 'red', handled.text)}\n`);
      return handled.code === 'QUARANTINED' ? 11 : 12;
    case 'held':
      shell.err(`${paint(shell, 'yellow', handled.text)}\n`);
      return 4;
    case 'stuck':
      shell.err(`${paint(shell, 'red', handled.text)}\n`);
      return exitCodes.ROLLBACK_FAILED;
    case 'interrupted':
      shell.err(`interrupted; ${handled.text}, the next command goes on from there\n`);
      return 130;
    case 'ended': {
      const end = handled.head.history.find(({ id }) => id === handled.release);
      const failure = end && failureOfEnd(end);
      const words = failure ? `was rolled back, ${restored[failure]}: ${end.text}` : 'is promoted';
      shell.out(`release ${handled.release} ${paint(shell, failure ? 'red' : 'green', words)}\n`);
      for (const line of lastWordsOf(handled.head, handled.release, shell.env)) shell.out(`    | ${line}\n`);
      return failure && !wantedBack ? exitCodes[failure] : 0;
    }
  }
}
