import { expect, test } from '@jest/globals';
import type { ContainerStatus, Deployment, Pod } from './objects.ts';
import { troubleOf } from './trouble.ts';

const now = Date.parse('2026-01-01T00:01:00Z');
const ago = (seconds: number): string => new Date(now - seconds * 1_000).toISOString();
const deployment: Deployment = { metadata: { name: 'd', generation: 2 }, spec: { template: {} } };
const containers = [{ name: 'main' }];

function podWith(status: Partial<ContainerStatus>, more: Pod['spec'] = { containers }): Pod {
  const main = { name: 'main', ready: false, restartCount: 0, ...status };
  return { metadata: { name: 'p' }, spec: more, status: { containerStatuses: [main] } };
}

test('troubleOf() says nothing of a pod that still comes up', () => {
  expect(troubleOf(deployment, [podWith({ state: { running: { startedAt: ago(14) } } })], now)).toBeUndefined();
});

test('troubleOf() gives a service the time of its own startupProbe', () => {
  const slow = { containers: [{ name: 'main', startupProbe: { periodSeconds: 5, failureThreshold: 6 } }] };
  const running = (seconds: number) => podWith({ state: { running: { startedAt: ago(seconds) } } }, slow);

  expect(troubleOf(deployment, [running(29)], now)).toBeUndefined();
  expect(troubleOf(deployment, [running(31)], now)).toMatchObject({ reason: 'probe', what: 'is not ready after 30 s' });
});

test('troubleOf() names memory as the cause of a kill', () => {
  const terminated = { exitCode: 137, reason: 'OOMKilled', startedAt: ago(9), finishedAt: ago(2) };
  const pod = podWith({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated } });

  expect(troubleOf(deployment, [pod], now)).toMatchObject({
    reason: 'crash',
    what: 'ended with signal 9 after 7 s, killed for using more memory than its limit',
    logs: { container: 'main', previous: true },
  });
});

test('troubleOf() does not take an init container that has done its work for a crash', () => {
  const done = { name: 'init', ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } };
  const pod = podWith({ ready: true, state: { running: { startedAt: ago(50) } } });

  expect(
    troubleOf(deployment, [{ ...pod, status: { ...pod.status, initContainerStatuses: [done] } }], now),
  ).toBeUndefined();
});

test('troubleOf() takes a service that ends with 0 again and again for a crash', () => {
  const terminated = { exitCode: 0, startedAt: ago(9), finishedAt: ago(8) };
  const pod = podWith({
    restartCount: 3,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated },
  });

  expect(troubleOf(deployment, [pod], now)).toMatchObject({
    reason: 'crash',
    what: 'ended with exit code 0 after 1 s',
  });
});

test('troubleOf() of a Deployment counts only once it tells of what was asked last', () => {
  const conditions = [
    { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'timed out' } as const,
  ];
  const told = (observedGeneration: number) => ({ ...deployment, status: { observedGeneration, conditions } });

  expect(troubleOf(told(1), [], now)).toBeUndefined();
  expect(troubleOf(told(2), [], now)).toMatchObject({ reason: 'deadline' });
});
