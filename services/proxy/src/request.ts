import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, refusalAnswer } from './answer.ts';
import { type BodyRoom, hasBody, receiveBody } from './body.ts';
import { isPreflight, preflightAnswer } from './cors.ts';
import type { Exchange, Outcome } from './exchange.ts';
import type { Link } from './link.ts';
import { messageOf } from './message.ts';
import { type Refusal, refusal } from './refusal.ts';
import { readReply } from './reply.ts';
import { type SubjectPlan, subjectOf } from './subject.ts';

/** What handling one request needs of the proxy. */
export type Desk = {
  readonly link: Link;
  readonly exchange: Exchange;
  readonly plan: SubjectPlan;
  readonly room: BodyRoom;
  readonly waitersMax: number;
  readonly requestTimeoutMs: number;
  readonly crossOrigin: boolean;
};

/** An answer to write, or the client left meanwhile: `waited` if it left while its answer was awaited. */
export type Handled =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly unread: boolean; readonly timedOut: boolean }
  | { readonly kind: 'gone'; readonly waited: boolean };

/** The subject's first token. */
const methods: { readonly [method: string]: string | undefined } = {
  GET: 'get',
  POST: 'post',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
  HEAD: 'head',
};

/** One request from its headers to its answer, which is a worker's or says why there is none. */
export async function handle(request: IncomingMessage, response: ServerResponse, desk: Desk): Promise<Handled> {
  const carriesBody = hasBody(request);
  if (desk.crossOrigin && isPreflight(request)) return answered(preflightAnswer(request), { unread: carriesBody });
  const { path, search } = split(request.url ?? '');
  const subject = route(request.method ?? '', path, desk.plan);
  if (subject.kind === 'refusal') return refused(subject, carriesBody);
  const maxBytes = desk.link.messageMaxBytes;
  if (maxBytes === undefined) return refused(natsGone, carriesBody);
  if (desk.exchange.waiting >= desk.waitersMax) return refused(tooMany(desk.waitersMax), carriesBody);

  const body = carriesBody ? await receiveBody(request, response, { maxBytes, room: desk.room }) : noBody;
  if (body.kind === 'gone') return { kind: 'gone', waited: false };
  if (body.kind === 'refusal') return refused(body, true);

  const replyTo = desk.exchange.address();
  const { rawHeaders } = request;
  const message = messageOf({ subject: subject.subject, replyTo, rawHeaders, search, body: body.bytes, maxBytes });
  if (message.kind === 'refusal') return refused(message, false);
  if (desk.exchange.waiting >= desk.waitersMax) return refused(tooMany(desk.waitersMax), false);
  response.once('close', () => desk.exchange.forget(replyTo));
  return concluded(await desk.exchange.ask(message), subject.subject, desk);
}

const noBody = { kind: 'body', bytes: undefined } as const;

const natsGone = refusal('NATS_UNAVAILABLE', 'Cannot forward the request as there is no connection to NATS');

function tooMany(waitersMax: number): Refusal {
  return refusal('OVERLOADED', `Cannot take the request as ${waitersMax} others wait for their answers already`);
}

function split(url: string): { path: string; search: string } {
  const at = url.indexOf('?');
  return at === -1 ? { path: url, search: '' } : { path: url.slice(0, at), search: url.slice(at + 1) };
}

function route(method: string, path: string, plan: SubjectPlan): ReturnType<typeof subjectOf> {
  const token = methods[method];
  return token === undefined
    ? refusal(
        'METHOD_NOT_ALLOWED',
        `Cannot forward the method as it must be one of Allow: current value is "${method}"`,
      )
    : subjectOf(token, path, plan);
}

function concluded(outcome: Outcome, subject: string, { requestTimeoutMs }: Desk): Handled {
  switch (outcome.kind) {
    case 'answered': {
      const reply = readReply(outcome.data, outcome.canonical);
      return reply.kind === 'refusal' ? refused(reply, false) : answered(reply);
    }
    case 'timeout': {
      const message = `Cannot answer as no worker replied on "${subject}" within ${requestTimeoutMs} ms`;
      return answered(refusalAnswer({ code: 'TIMEOUT', message }), { timedOut: true });
    }
    case 'noResponders':
      return refused(refusal('NO_RESPONDERS', `Cannot forward the request as nothing takes "${subject}"`), false);
    case 'natsGone':
      return refused(natsGone, false);
    case 'forgotten':
      return { kind: 'gone', waited: true };
    default:
      return outcome satisfies never;
  }
}

function answered(answer: Answer, { unread = false, timedOut = false } = {}): Handled {
  return { kind: 'answer', answer, unread, timedOut };
}

function refused(reason: Refusal, unread: boolean): Handled {
  return answered(refusalAnswer(reason), { unread });
}
