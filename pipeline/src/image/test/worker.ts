/** Checks of a service that pulls from a lane, with the test as the proxy. */
import { subjectPrefix } from '@headgate/rollout';
import { callWorker } from './callers.ts';
import type { Ground } from './ground.ts';
import { isOk, startInstance, untilReady, untilTrue, whileRunning } from './instance.ts';
import { type CheckPlan, expectNone, type Finding, failed, passed } from './report.ts';
import type { RecordedRequest } from './requests.ts';
import type { Trial } from './test-image.ts';
import { drainsUnderLoad, staysSmall } from './under-load.ts';

/** In this order: the last one ends the instance. */
export function workerChecks(trial: Trial): readonly CheckPlan[] {
  const { ground, instance } = trial;
  const send = async () => (await ask(ground, someRequest(trial.request.requests))).status;
  return [
    { name: 'answers every subject', find: () => answers(trial) },
    { name: 'outlives NATS', find: (signal) => outlivesNats(trial, signal) },
    { name: 'recovers when NATS is back', find: (signal) => recovers(trial, signal) },
    { name: 'stays within 200 MB under load', find: (signal) => staysSmall({ instance, send }, signal) },
    { name: 'drains on SIGTERM under load', find: (signal) => drains(trial, send, signal) },
  ];
}

const lane = 'blue';

async function answers({ ground, request }: Trial): Promise<Finding> {
  const pulls = request.services[request.service]?.pulls ?? [];
  const problems = pulls
    .filter((subject) => !request.requests.some((one) => one.subject === subject))
    .map((subject) => `no request of ${subject} is recorded`);
  const own = request.requests.filter(({ subject }) => pulls.includes(subject));
  for (const one of own) {
    const { status } = await ask(ground, one);
    if (status !== one.status)
      problems.push(`${one.subject} got ${status === 0 ? 'no answer' : status}, not ${one.status}`);
  }
  return expectNone(problems, `${own.length} recorded requests of ${pulls.length} subjects`);
}

async function outlivesNats({ ground, instance }: Trial, signal: AbortSignal): Promise<Finding> {
  await ground.loseNats();
  const alive = await isOk(`${instance.admin}/healthz`, signal);
  return alive ? passed('alive without NATS') : failed(`it is gone: ${instance.lastLines().join(' | ')}`);
}

async function recovers({ ground, instance, request }: Trial, signal: AbortSignal): Promise<Finding> {
  const asked = someRequest(request.requests);
  await ground.regainNats(signal);
  const start = performance.now();
  const answered = async () => (await ask(ground, asked)).status === asked.status;
  await whileRunning(instance, signal, (within) => untilTrue(answered, within));
  return passed(`after ${Math.round(performance.now() - start)} ms`);
}

/** Two instances share the lane, as in any release; one of them is told to stop in the middle of the work. */
async function drains(
  { ground, instance, request, image }: Trial,
  send: () => Promise<number>,
  signal: AbortSignal,
): Promise<Finding> {
  await using other = await startInstance(ground, { service: request.service, lane, image });
  await untilReady(other, signal);
  return await drainsUnderLoad({ instance, send }, { graceMs: request.graceMs, goesOn: true }, signal);
}

function ask(ground: Ground, asked: RecordedRequest): ReturnType<typeof callWorker> {
  return callWorker(ground.nats, subjectPrefix(ground.app, lane), asked);
}

/** One that succeeds and changes nothing, if there is one. */
function someRequest(requests: readonly RecordedRequest[]): RecordedRequest {
  const good = requests.filter(({ status }) => status < 300);
  const found = good.find(({ subject }) => subject.startsWith('get.')) ?? good[0];
  if (found === undefined) throw new Error('no recorded request succeeds, so none can be sent as load');
  return found;
}
