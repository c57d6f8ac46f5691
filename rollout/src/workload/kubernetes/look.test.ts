import { expect, test } from '@jest/globals';
import { exists, isReady, revisionIn } from './look.ts';
import type { Deployment, Pod } from './objects.ts';

function deployment(service: string, revision?: string, services = 'proxy,rating'): Deployment {
  const annotations = revision && { 'headgate.dev/revision': revision, 'headgate.dev/services': services };
  return {
    metadata: { name: service, labels: { 'headgate.dev/service': service }, ...(annotations && { annotations }) },
    spec: { template: {} },
  };
}

test('revisionIn() is that of every service, and of none in the midst of a change', () => {
  expect(revisionIn([deployment('proxy'), deployment('rating')])).toBeUndefined();
  expect(revisionIn([deployment('proxy', 'a'), deployment('rating')])).toBeUndefined();
  expect(revisionIn([deployment('proxy', 'b'), deployment('rating', 'a')])).toBeUndefined();
  expect(revisionIn([deployment('proxy', 'a'), deployment('rating', 'a')])).toBe('a');
});

test('revisionIn() knows that a service is still to be made or still to be left', () => {
  const three = (service: string) => deployment(service, 'b', 'audit,proxy,rating');

  expect(revisionIn([three('proxy'), three('rating')])).toBeUndefined();
  expect(revisionIn([three('proxy'), three('rating'), deployment('audit')])).toBeUndefined();
  expect(revisionIn([deployment('proxy', 'a'), deployment('rating', 'a'), deployment('audit')])).toBe('a');
});

test('isReady() asks of a proxy that requests are sent to it, of a worker only that it is available', () => {
  const pod = (ports: readonly { name: string; containerPort: number }[]): Pod => ({
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'main', ports }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
  const proxy = pod([{ name: 'http', containerPort: 8080 }]);

  expect(isReady(proxy, new Set())).toBe(false);
  expect(isReady(proxy, new Set(['p']))).toBe(true);
  expect(isReady(pod([{ name: 'admin', containerPort: 9090 }]), new Set())).toBe(true);
});

test('exists() is false of what has ended, and of what its kubelet has not killed 20 s after it should have: that is lost with its node', () => {
  const at = Date.parse('2026-01-01T00:00:00Z');
  const running: Pod = { metadata: { name: 'p' }, status: { phase: 'Running' } };
  const leaving: Pod = { ...running, metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } };

  expect(exists(running, at)).toBe(true);
  expect(exists({ ...running, status: { phase: 'Failed' } }, at)).toBe(false);
  expect(exists({ ...running, status: { phase: 'Succeeded' } }, at)).toBe(false);
  expect(exists(leaving, at - 10_000)).toBe(true);
  expect(exists(leaving, at + 19_999)).toBe(true);
  expect(exists(leaving, at + 20_000)).toBe(false);
});
