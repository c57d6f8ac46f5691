import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';

const triesMax = 3;
/** Before the second try; the third waits twice as long. */
const pauseMs = 1_000;
const answerMaxMs = 5_000;

/**
 * Sends a document to somebody's ear: to a chat, a pager, a board. Tried again where another try may help.
 * @throws once three tries have failed, or at the first no; it names no more of the address than its host, the rest may be a secret
 */
export async function postWebhook(url: string, content: unknown, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(content);
  for (let tries = 1; ; tries++) {
    const answer = await post(url, body, signal);
    if (answer.kind === 'taken') return;
    if (answer.kind === 'no' || tries === triesMax) throw new Error(`${new URL(url).host} answered ${answer.why}`);
    await sleep(pauseMs * tries, undefined, { signal });
  }
}

type Answer = { readonly kind: 'taken' } | { readonly kind: 'no' | 'later'; readonly why: string };

async function post(url: string, body: string, signal: AbortSignal): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  // Not followed: what is meant for one host is told to no other.
  const question = {
    method: 'POST',
    headers,
    body,
    redirect: 'manual',
    signal: withDeadline(signal, answerMaxMs),
  } as const;
  const response = await fetch(url, question).catch(() => signal.throwIfAborted());
  if (response === undefined) return { kind: 'later', why: 'nothing' };
  await response.body?.cancel();
  if (response.ok) return { kind: 'taken' };
  const { status } = response;
  return { kind: status >= 500 || status === 429 ? 'later' : 'no', why: String(status) };
}
