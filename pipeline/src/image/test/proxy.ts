/** Checks of a service that takes HTTP: with the test as the worker that it asks, or, where nobody pulls, by its probe. */
import { callHttp, fetched, startResponder } from './callers.ts';
import { isOk, untilTrue, whileRunning } from './instance.ts';
import { type CheckPlan, expectNone, type Finding, failed, passed, skipped } from './report.ts';
import type { RecordedRequest } from './requests.ts';
import type { Trial } from './test-image.ts';
import { drainsUnderLoad, staysSmall } from './under-load.ts';

/** In this order: the last one ends the instance. */
export function proxyChecks(trial: Trial): readonly CheckPlan[] {
  const { instance } = trial;
  const drain = { graceMs: trial.request.graceMs, goesOn: false };
  const asking: readonly CheckPlan[] = [
    { name: 'answers through the subject', find: (signal) => answers(trial, signal) },
    { name: 'answers 503 while NATS is gone', find: (signal) => answersWithoutNats(trial, signal) },
    { name: 'recovers when NATS is back', find: (signal) => recovers(trial, signal) },
  ];
  return [
    ...(subjectsOf(trial.ground).length === 0 ? [] : asking),
    {
      name: 'stays within 200 MB under load',
      find: (signal) => whileAnswered(trial, { delayMs: 0, signal }, (send) => staysSmall({ instance, send }, signal)),
    },
    {
      name: 'drains on SIGTERM under load',
      find: (signal) =>
        whileAnswered(trial, { delayMs: 200, signal }, (send) => drainsUnderLoad({ instance, send }, drain, signal)),
    },
  ];
}

const lane = 'blue';

/** Each subject that some worker pulls: lower-case method and path, joined by dots. */
async function answers({ ground, instance }: Trial, signal: AbortSignal): Promise<Finding> {
  await using _responder = await startResponder(ground, lane, { delayMs: 0 });
  const subjects = subjectsOf(ground);
  const problems: string[] = [];
  for (const subject of subjects) {
    const { status, body } = await callHttp(instance.http, aRequest(subject), signal);
    const seen = (body as { subject?: unknown } | undefined)?.subject;
    if (status !== 200 || seen !== subject) problems.push(`${subject} got ${status} from subject ${seen}`);
  }
  return expectNone(problems, `${subjects.length} subjects, each asked and answered`);
}

async function answersWithoutNats({ ground, instance }: Trial, signal: AbortSignal): Promise<Finding> {
  await ground.loseNats();
  const seen: number[] = [];
  // The first request may be on its way while the connection breaks; then 504 is as right.
  while (seen.length < 3 && seen.at(-1) !== 503) {
    seen.push((await callHttp(instance.http, aRequest(someSubject(ground)), signal)).status);
  }
  if (!(await isOk(`${instance.admin}/healthz`, signal))) {
    return failed(`it is gone: ${instance.lastLines().join(' | ')}`);
  }
  return seen.at(-1) === 503 ? passed('503, and alive') : failed(`it answered ${seen.join(', ')}`);
}

async function recovers({ ground, instance }: Trial, signal: AbortSignal): Promise<Finding> {
  await ground.regainNats(signal);
  await using _responder = await startResponder(ground, lane, { delayMs: 0 });
  const start = performance.now();
  const answered = async (within: AbortSignal) =>
    (await callHttp(instance.http, aRequest(someSubject(ground)), within)).status === 200;
  await whileRunning(instance, signal, (within) => untilTrue(() => answered(within), within));
  return passed(`after ${Math.round(performance.now() - start)} ms`);
}

/** With a worker that takes `delayMs`, so that as many milliseconds of requests are in flight. */
async function whileAnswered(
  { ground, instance, request }: Trial,
  { delayMs, signal }: { delayMs: number; signal: AbortSignal },
  look: (send: () => Promise<number>) => Promise<Finding>,
): Promise<Finding> {
  const [subject] = subjectsOf(ground);
  if (subject !== undefined) {
    await using _responder = await startResponder(ground, lane, { delayMs });
    const asked = aRequest(subject);
    return await look(async () => (await callHttp(instance.http, asked, signal)).status);
  }
  const probe = request.services[request.service]?.probe;
  if (probe === undefined) return skipped('the service has no probe in headgate.yaml, so nothing is asked of it');
  const url = new URL(probe, instance.http).href;
  return await look(async () => (await fetched(url, {}, signal)).status);
}

/** That workers pull; none where the app has no queue. */
function subjectsOf({ app: { services } }: Trial['ground']): readonly string[] {
  return Object.values(services).flatMap(({ pulls }) => pulls);
}

function someSubject(ground: Trial['ground']): string {
  return subjectsOf(ground)[0] ?? 'get.nothing';
}

function aRequest(subject: string): RecordedRequest {
  const body = subject.startsWith('get.') || subject.startsWith('head.') ? undefined : { test: true };
  return { subject, query: '', body, status: 200 };
}
