/**
 * Versions crossed: after an adoption live's workers read what the candidate's proxy wrote, and both share the database.
 * So the new image must understand its live neighbours before any traffic meets it, unless nobody adopts anything.
 */
import { pullImage } from '@headgate/rollout/local';
import { callHttp } from './callers.ts';
import { startInstance, untilReady } from './instance.ts';
import { expectNone, type Finding, failed, passed, skipped } from './report.ts';
import type { Trial } from './test-image.ts';

/** The lane that the other checks leave alone. */
const lane = 'green';

/** The tested image and live's neighbours answer every recorded request, through a proxy and over the lane. */
export async function findCrossed(trial: Trial, signal: AbortSignal): Promise<Finding> {
  const { ground, request, image } = trial;
  if (request.live === undefined) return skipped('no live version');
  const { services, service, live, imageFolder } = request;
  const isWorker = (name: string): boolean => (services[name]?.pulls.length ?? 0) > 0;
  const others = Object.entries(live).filter(
    ([name]) => name !== service && name in services && isWorker(name) !== isWorker(service),
  );
  if (others.length === 0) return skipped('live has no service on the other side');
  const problems: string[] = [];
  let asked = 0;
  for (const [name, reference] of others) {
    const pulls = services[isWorker(service) ? service : name]?.pulls ?? [];
    await using own = await startInstance(ground, { service, lane, image });
    await using neighbour = await startInstance(ground, {
      service: name,
      lane,
      image: await pullImage(reference, imageFolder, signal),
    });
    await Promise.all([untilReady(own, signal), untilReady(neighbour, signal)]);
    const proxy = isWorker(service) ? neighbour : own;
    for (const one of request.requests.filter(({ subject }) => pulls.includes(subject))) {
      asked++;
      const { status } = await callHttp(proxy.http, one, signal);
      if (status !== one.status) problems.push(`${one.subject} with live's ${name} got ${status}, not ${one.status}`);
    }
  }
  const found = expectNone(
    problems,
    `${asked} recorded requests, answered with ${others.map(([name]) => `live's ${name}`).join(', ')}`,
  );
  if (found.outcome === 'passed') return found;
  return request.adopt === 'answer'
    ? passed(`${found.detail}; a rollback answers what is left with 503, as queue.adopt is "answer"`)
    : failed(`${found.detail}; after a rollback they meet so, unless queue.adopt is "answer"`);
}
