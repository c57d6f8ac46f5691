import { parseSpec } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { aBench } from '../pipeline.rig.ts';
import { step } from '../step.ts';
import type { publishStep } from './image-steps.ts';
import type { Place } from './place.ts';
import { perfStep } from './release-steps.ts';

const parsed = parseSpec('app: shop\nservices: { web: { source: web, port: 80, env: { CACHE: "no" } } }', {
  file: 'x',
});
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const { spec } = parsed;
const images = (letter: string) => ({ web: `registry:5000/web@sha256:${letter.repeat(64)}` });

/** An app without recorded requests: what would be compared is refused before anything starts. */
test.each([
  { what: 'nothing differs', live: 'a', liveEnv: { web: { CACHE: 'no' } }, exitCode: 0 },
  { what: 'nobody knows with which variables live runs', live: 'a', liveEnv: undefined, exitCode: 0 },
  { what: 'its variables differ', live: 'a', liveEnv: { web: { CACHE: 'yes' } }, exitCode: 64 },
  { what: 'its images differ', live: 'b', liveEnv: { web: { CACHE: 'no' } }, exitCode: 64 },
])('perf compares with live unless nothing differs ($what: $exitCode)', async ({ live, liveEnv, exitCode }) => {
  await using bench = await aBench();
  const { root } = bench;
  const common = { spec, root, cache: root, builder: 'oci', baseKey: 'b', registry: undefined };
  const place: Place = { ...common, live: images(live), liveEnv };
  const outputs = { values: { parse: (value: unknown) => value as ReturnType<typeof images> } };
  const publish = step('publish', { kind: 'pure', outputs, run: async () => images('a') });

  const result = await bench.run([publish, perfStep(place, publish as unknown as ReturnType<typeof publishStep>, [])]);

  expect(result.exitCode).toBe(exitCode);
});
