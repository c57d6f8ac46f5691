import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, parseSpec } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import type { Step } from '../step.ts';
import { defineDelivery, stepsOf, type Target, targetOf, targets } from './delivery.ts';
import { type Place, repositoryOf } from './place.ts';

const file = join(import.meta.dirname, '../../../headgate.yaml');
const parsed = parseSpec(readFileSync(file, 'utf8'), { file });
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const place: Place = {
  spec: parsed.spec,
  root: '/r',
  cache: '/c',
  builder: 'oci',
  baseKey: 'a base',
  registry: 'registry:5000/ratings',
  live: undefined,
};
const releaser = {
  observe: () => Promise.reject(new Error('asked')),
  release: () => Promise.reject(new Error('asked')),
};
const delivery = (check = true) => defineDelivery(place, releaser, { check });
const needsOf = (id: string) =>
  delivery()
    .steps.find((step) => step.id === id)
    ?.needs.map((need) => need.id);

describe('defineDelivery()', () => {
  test('to each environment has runs of its own', () => {
    const to = (environment: string | undefined) =>
      defineDelivery(place, releaser, { environment, check: false }).config;

    expect(to('dev')).not.toEqual(to('prod'));
    expect(to('dev')).not.toEqual(to(undefined));
  });

  test('goes by the code of the performance gate and of the image test too: a stricter rule lets no old verdict stand', () => {
    const modules = delivery().code.map((url) => url.replace(/^.*\/src\//, ''));

    expect(modules).toEqual(
      expect.arrayContaining(['perf/judge.ts', 'perf/gate.ts', 'perf/rounds.ts', 'image/test/test-image.ts']),
    );
    expect(modules.filter((name) => name.includes('.test.'))).toEqual([]);
  });

  test('checks, builds and tests every image, then publishes, then releases', () => {
    expect(delivery().steps.map(({ id }) => id)).toEqual([
      'check',
      'image:proxy',
      'imagetest:proxy',
      'image:rating',
      'imagetest:rating',
      'publish',
      'release',
    ]);
  });

  test('is the same run wherever it is begun, and another one in another registry', () => {
    const of = ({ name, config }: ReturnType<typeof defineDelivery>) => JSON.stringify({ name, config });
    const there = (change: Partial<Place>) => of(defineDelivery({ ...place, ...change }, releaser, { check: false }));

    expect(there({ root: '/elsewhere', cache: '/other' })).toBe(of(delivery()));
    expect(there({ registry: 'other:5000/ratings' })).not.toBe(of(delivery()));
  });

  test('publishes nothing before the tests of all images have passed', () => {
    expect(needsOf('publish')).toEqual(['imagetest:proxy', 'imagetest:rating']);
    expect(needsOf('release')).toEqual(['publish']);
    expect(needsOf('image:proxy')).toEqual(['check']);
  });

  test('changes the world by effects alone, and these look first', () => {
    const effects = delivery().steps.filter(({ kind }) => kind === 'effect');

    expect(effects.map(({ id }) => id)).toEqual(['imagetest:proxy', 'imagetest:rating', 'publish', 'release']);
  });

  test('gives a release at least its own deadline and watch', () => {
    const { deadlineMs, watchMs } = parsed.spec.release;

    expect(delivery().steps.at(-1)?.timeoutMs).toBeGreaterThan(deadlineMs + watchMs);
  });

  test('leaves the check out when it is told to', () => {
    expect(delivery(false).steps[0]?.id).toBe('image:proxy');
  });
});

test('the keys have the code of all that makes images of bundles', () => {
  const modules = delivery().code.map((url) => url.split('/').slice(-2).join('/'));

  expect(modules).toEqual(expect.arrayContaining(['deploy/image-steps.ts', 'image/layer.ts', 'image/oci.ts']));
  expect(modules.filter((name) => /\.(test|rig|contract)\./.test(name))).toEqual([]);
});

describe('defineDelivery() with an environment "staging"', () => {
  const live = { proxy: `registry:5000/ratings/proxy@sha256:${'0'.repeat(64)}` };
  const staged = (lives: typeof live | undefined) =>
    defineDelivery({ ...place, live: lives }, releaser, { check: true, staging: releaser });

  test('goes through every target in its order', () => {
    const order = [...new Set(staged(live).steps.map(({ id }) => targetOf(id)))];

    expect(order).toEqual(targets.filter((target) => target !== 'deliver'));
    expect(
      staged(live)
        .steps.at(-1)
        ?.needs.map(({ id }) => id),
    ).toEqual(['publish', 'staging', 'perf']);
  });

  test('signs what it has published before anything is released, when it has a key', () => {
    const signed = defineDelivery(place, releaser, { check: true, staging: releaser, sign: { secret: 'KEY' } });

    expect(signed.steps.filter(({ needs }) => needs.some(({ id }) => id === 'sign')).map(({ id }) => id)).toEqual([
      'staging',
      'release',
    ]);
    expect(stepsOf('publish', signed)).toEqual(['publish', 'sign']);
  });

  test('asks its approvers, where it has some, after all that may stop it by itself', () => {
    const asking = { verifyKey: undefined, secret: undefined, yesOf: undefined, reason: '' };
    const options = { check: true, staging: releaser, asking };
    const asked = { ...place, live, spec: { ...place.spec, approvers: ['kim'] } };
    const needs = (step: Step | undefined) => step?.needs.map(({ id }) => id);

    const { steps } = defineDelivery(asked, releaser, options);

    expect(needs(steps.find(({ id }) => id === 'approve'))).toEqual(['publish', 'staging', 'perf']);
    expect(needs(steps.at(-1))).toEqual(['publish', 'staging', 'perf', 'approve']);
    expect(targetOf('approve')).toBe('production');
    expect(defineDelivery({ ...place, live }, releaser, options).steps.map(({ id }) => id)).not.toContain('approve');
  });

  test('compares again with other limits, another load, another migration, or other variables of live', () => {
    const keyWith = (change: Partial<Place['spec']>, liveEnv?: Place['liveEnv']) => {
      const spec = { ...place.spec, ...change };
      const options = { check: true, staging: releaser };
      const { steps } = defineDelivery({ ...place, live, liveEnv, spec }, releaser, options);
      const perf = steps.find(({ id }) => id === 'perf');
      return canonicalJson(perf?.kind === 'pure' ? perf.inputs.values : null);
    };
    const { perf, release } = place.spec;
    const migrate = { image: `registry:5000/migrate@sha256:${'0'.repeat(64)}`, command: ['up'] };

    const keys = [
      keyWith({}),
      keyWith({ perf: { ...perf, msMax: { ...perf.msMax, p99: 300 } } }),
      keyWith({ perf: { ...perf, perSec: 200 } }),
      keyWith({ release: { ...release, migrate } }),
      keyWith({}, { proxy: { PATH_PREFIX: '/old' } }),
    ];

    expect(new Set(keys).size).toBe(keys.length);
  });

  test('compares nothing before there is a live version', () => {
    expect(staged(undefined).steps.map(({ id }) => id)).not.toContain('perf');
    expect(stepsOf('perf', staged(undefined))).toEqual(['staging']);
  });
});

test('looking for an image says that the platform with the registry does not run', () => {
  expect(() => repositoryOf({ ...place, registry: undefined }, 'proxy')).toThrow(
    expect.objectContaining({ code: 'SUPERVISOR_UNREACHABLE', hint: expect.stringContaining('headgate cluster up') }),
  );
});

test('stepsOf() refuses staging for a delivery that no environment comes before', () => {
  expect(() => stepsOf('staging', delivery())).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test.each<{ target: Target; steps: string[] }>([
  { target: 'check', steps: ['check'] },
  { target: 'images', steps: ['imagetest:proxy', 'imagetest:rating'] },
  { target: 'publish', steps: ['publish'] },
  { target: 'production', steps: ['release'] },
  { target: 'deliver', steps: ['release'] },
])('stepsOf($target) is $steps', ({ target, steps }) => {
  expect(stepsOf(target, delivery())).toEqual(steps);
});
