import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { aBench } from './pipeline.rig.ts';
import { record, text } from './plan/schema.ts';
import { type Step, step } from './step.ts';

function build(words = 'built'): Step<'build', { readonly words: string }> {
  return step('build', {
    kind: 'pure',
    inputs: { files: ['src/**'], env: ['MODE'] },
    outputs: { values: record({ words: text }) },
    run: () => ({ words }),
  });
}

function push(world: { there: boolean }, needs: readonly [ReturnType<typeof build>]): Step {
  return step('push', {
    kind: 'effect',
    needs,
    observe: ({ out }) =>
      world.there ? { kind: 'done', values: undefined } : { kind: 'absent', diff: `push ${out.build.words}` },
    run: () => {
      world.there = true;
    },
  });
}

describe('plan()', () => {
  test('touches nothing', async () => {
    await using bench = await aBench({ 'src/a': 'one' });

    const planned = await bench.plan([build()]);

    expect(planned).toEqual([{ step: 'build', kind: 'would-run', changed: ['never run'] }]);
    expect(existsSync(join(bench.root, '.headgate'))).toBe(false);
    expect(existsSync(join(bench.root, 'out'))).toBe(false);
  });

  test('an effect waits for what is not known yet, and tells its diff as soon as it is', async () => {
    await using bench = await aBench({ 'src/a': 'one' });
    const world = { there: false };
    const made = build();
    const steps = [made, push(world, [made])];

    const before = await bench.plan(steps);
    await bench.run([made]);
    const between = await bench.plan(steps);
    await bench.run(steps);
    const after = await bench.plan(steps);

    expect(before[1]).toEqual({ step: 'push', kind: 'blocked', by: ['build'] });
    expect(between.map(({ kind }) => kind)).toEqual(['cached', 'would-act']);
    expect(between[1]).toMatchObject({ diff: 'push built' });
    expect(after.map(({ kind }) => kind)).toEqual(['cached', 'nothing-to-do']);
  });

  test('hands on what an effect says of what it sees', async () => {
    await using bench = await aBench({});
    const said = (id: string, kind: 'done' | 'absent') =>
      step(id, {
        kind: 'effect',
        observe: ({ annotate }) => {
          annotate({ level: 'warning', message: 'bootstrap is due' });
          return kind === 'done' ? { kind, values: undefined } : { kind, diff: 'push it' };
        },
        run: () => {},
      });

    const remarks = ['bootstrap is due'];
    expect(await bench.plan([said('there', 'done'), said('push', 'absent')])).toEqual([
      { step: 'there', kind: 'nothing-to-do', remarks },
      { step: 'push', kind: 'would-act', diff: 'push it', remarks },
    ]);
  });

  test('names exactly the inputs that changed', async () => {
    await using bench = await aBench({ 'src/a': 'one', 'src/b': 'two' });
    const env = { PATH: process.env['PATH'], MODE: 'x' };
    await bench.run([build()], { env });

    await bench.write({ 'src/b': 'changed', 'src/c': 'new' });
    const planned = await bench.plan([build()], { env: { ...env, MODE: 'y' } });

    expect(planned).toEqual([{ step: 'build', kind: 'would-run', changed: ['file src/b', 'file src/c', 'env MODE'] }]);
  });

  test('tells of a step that is blocked from one that would run for a reason of its own', async () => {
    await using bench = await aBench({ 'src/a': 'one', 'other/a': 'one' });
    const made = build();
    const use = step('use', { kind: 'pure', needs: [made], inputs: { files: ['other/**'] }, run: () => {} });
    await bench.run([made, use]);
    await bench.write({ 'src/a': 'two' });

    const blocked = await bench.plan([made, use]);
    await bench.write({ 'other/a': 'two' });
    const changed = await bench.plan([made, use]);

    expect(blocked[1]).toEqual({ step: 'use', kind: 'blocked', by: ['build'] });
    expect(changed[1]).toEqual({ step: 'use', kind: 'would-run', changed: ['file other/a'] });
  });

  test('names what an effect cannot reach, and what waits for it; any other mistake of a look is thrown', async () => {
    await using bench = await aBench();
    const lookAt = (error: Error) =>
      step('look', { kind: 'effect', observe: () => Promise.reject(error), run: () => {} });
    const away = new HeadgateError('REGISTRY_UNREACHABLE', 'Cannot reach it', { hint: 'start it' });
    const look = lookAt(away);

    const planned = await bench.plan([look, step('use', { kind: 'pure', needs: [look], run: () => {} })]);

    expect(planned).toMatchObject([{ step: 'look', kind: 'unseen', why: 'Cannot reach it' }, { step: 'use' }]);
    await expect(bench.plan([lookAt(new TypeError('ours'))])).rejects.toThrow('ours');
  });

  test('tells of skipped steps why, and of those that need them', async () => {
    await using bench = await aBench();
    const off = step('off', { kind: 'pure', when: () => 'nobody asked', run: () => {} });

    expect(await bench.plan([off, step('next', { kind: 'pure', needs: [off], run: () => {} })])).toEqual([
      { step: 'off', kind: 'skipped', why: 'nobody asked' },
      { step: 'next', kind: 'skipped', why: 'needs off, which is skipped: nobody asked' },
    ]);
  });
});
