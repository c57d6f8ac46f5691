import { expect, test } from '@jest/globals';
import { aBench } from '../pipeline.rig.ts';
import { step } from '../step.ts';
import type { publishStep } from './image-steps.ts';
import { releaseStep } from './release-steps.ts';
import { bootstrapDue } from './standing.ts';

const objects = (...names: readonly string[]) =>
  names.map((name) => ({
    object: {
      ...{ name, kind: { kind: 'NetworkPolicy', apiVersion: 'networking.k8s.io/v1', plural: 'p', namespaced: true } },
      ...{ made: { metadata: { name }, spec: {} }, kept: { metadata: { name }, spec: {} } },
    },
  }));

test('bootstrapDue() names what differs, and counts what would make the line too long', () => {
  expect(bootstrapDue([])).toBeUndefined();
  expect(bootstrapDue(objects('a', 'b'))).toBe(
    '`headgate bootstrap` is due: no release changes what is not as the manifests say: NetworkPolicy a, NetworkPolicy b',
  );
  expect(bootstrapDue(objects(...'abcdefghij'))).toMatch(/NetworkPolicy h and 2 more$/);
});

test('a delivery that finds its revision live warns of it, and ends well', async () => {
  await using bench = await aBench();
  const publish = step('publish', { kind: 'pure', run: () => {} }) as unknown as ReturnType<typeof publishStep>;
  const releaser = {
    observe: async () => ({ kind: 'live', revision: 'a', due: async () => 'bootstrap is due' }) as const,
    release: async () => ({ kind: 'done' }) as const,
  };

  const result = await bench.run([publish, releaseStep('release', { publish, releaser, after: [] })]);

  expect(result.exitCode).toBe(0);
  expect(result.of('annotation')).toMatchObject([
    { step: 'release', note: { level: 'warning', message: 'bootstrap is due' } },
  ]);
});
