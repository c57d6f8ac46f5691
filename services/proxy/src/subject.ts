import { type Refusal, refusal, shown } from './refusal.ts';

/** One subject token. Without `.`, `*`, `>`, `$` and blanks no path can reach another subject, a wildcard or `$JS`. */
export const tokenRule = /^[A-Za-z0-9_~@=+:,%-]+$/;

/** nats-server closes the connection, and everybody's requests with it, beyond this; it does not announce the number. */
const CONTROL_LINE_MAX = 4_096;
/** Three blanks, the length of the headers and of the message, beside subject and reply address in a control line. */
const CONTROL_LINE_REST = 20;

export type Subject = { readonly kind: 'subject'; readonly subject: string };

/** Where requests of this proxy go: both prefixes as in the environment, and the length of its reply addresses. */
export type SubjectPlan = {
  readonly subjectPrefix: string;
  readonly pathPrefix: string;
  readonly replyToMaxBytes: number;
};

export function isTokenList(text: string): boolean {
  return text.split('.').every((token) => tokenRule.test(token));
}

/** `get` and `/api/ratings/7` become `<subject prefix>.get.ratings.7`. Each segment is decoded once, then must be a token. */
export function subjectOf(method: string, path: string, plan: SubjectPlan): Subject | Refusal {
  const below = path.startsWith(`${plan.pathPrefix}/`) ? path.slice(plan.pathPrefix.length + 1) : '';
  if (below === '') return notFound(path, plan.pathPrefix);
  let subject = plan.subjectPrefix === '' ? method : `${plan.subjectPrefix}.${method}`;
  for (const segment of below.split('/')) {
    const token = decoded(segment);
    if (token === undefined) return invalid('percent-encoding must be valid UTF-8', segment);
    if (!tokenRule.test(token)) return invalid(`each decoded segment must match ${tokenRule.source}`, token);
    subject += `.${token}`;
  }
  const subjectMaxBytes = CONTROL_LINE_MAX - CONTROL_LINE_REST - plan.replyToMaxBytes;
  return subject.length <= subjectMaxBytes ? { kind: 'subject', subject } : tooLong(subject, subjectMaxBytes);
}

function decoded(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // A malformed escape is the client's mistake, named by the caller.
  }
}

function notFound(path: string, pathPrefix: string): Refusal {
  const rule = `it must name something below "${pathPrefix}/"`;
  return refusal('NOT_FOUND', `Cannot route the path as ${rule}: current value is "${shown(path)}"`);
}

function invalid(rule: string, value: string): Refusal {
  return refusal('PATH_INVALID', `Cannot route the path as ${rule}: current value is "${shown(value)}"`);
}

function tooLong(subject: string, maxBytes: number): Refusal {
  return refusal(
    'SUBJECT_TOO_LONG',
    `Cannot route the path as its subject must have at most ${maxBytes} bytes: current value has ${subject.length}`,
  );
}
