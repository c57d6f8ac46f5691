import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readRuns } from '../journal/runs.ts';
import { aBench, type Bench } from '../pipeline.rig.ts';
import { record, text } from '../plan/schema.ts';
import { type Step, step } from '../step.ts';
import { explainStep, findStep } from './why.ts';

const world = { published: '' };

/** Two chains that meet: proxy and rating are built apart, and published together. */
function aChain(): readonly Step[] {
  const images = ['proxy', 'rating'].map((service) =>
    step(`image:${service}`, {
      kind: 'pure',
      inputs: { files: [`${service}/**`], env: ['MODE'] },
      outputs: { values: record({ digest: text }) },
      run: async ({ $ }) => ({ digest: (await $`cat ${service}/src`).stdout.trim() }),
    }),
  );
  const [proxy, rating] = images;
  const publish = step('publish', {
    kind: 'effect',
    needs: images,
    observe: ({ out }) => {
      const wanted = JSON.stringify(out);
      return world.published === wanted
        ? { kind: 'done', values: undefined }
        : { kind: 'absent', diff: 'push 1 images' };
    },
    run: ({ out }) => {
      world.published = JSON.stringify(out);
    },
  });
  const report = step('report', { kind: 'pure', needs: [rating as Step], run: () => {} });
  return [proxy as Step, rating as Step, publish, report];
}

async function why(bench: Bench, id: string): Promise<string> {
  const story = await findStep(id, readRuns(join(bench.root, '.headgate/runs')));
  return story === undefined ? 'unknown' : explainStep(story).join('\n');
}

describe('explainStep()', () => {
  test('after one service was touched: names its file, and of what comes after it the output that is new', async () => {
    await using bench = await aBench({ 'proxy/src': 'p1', 'rating/src': 'r1' });
    await bench.run(aChain());
    await bench.write({ 'rating/src': 'r2' });
    const { of } = await bench.run(aChain());

    expect(of('step.cached').map((event) => event.step)).toEqual(['image:proxy']);
    expect(await why(bench, 'image:rating')).toMatch(
      /✓ image:rating .*\n {2}it ran, as these were not as in its newest result:\n {4}file rating\/src$/,
    );
    expect(await why(bench, 'report')).toMatch(/\n {4}output of image:rating, now \{"digest":"r2"\}$/);
    expect(await why(bench, 'publish')).toMatch(
      /> publish +push 1 images\n[\s\S]*\n {2}what was new in this run:\n {4}image:rating: file rating\/src\n {4}report: output of image:rating$/,
    );
  });

  test('of a step from the cache: tells which run executed it, and why that one did', async () => {
    await using bench = await aBench({ 'proxy/src': 'p1', 'rating/src': 'r1' });
    await bench.run(aChain(), { env: { PATH: process.env['PATH'], MODE: 'a' } });
    await bench.run(aChain(), { env: { PATH: process.env['PATH'], MODE: 'b' } });
    await bench.run(aChain(), { env: { PATH: process.env['PATH'], MODE: 'b' } });

    expect(await why(bench, 'image:proxy')).toMatch(
      /= image:proxy +cached, .*\n {2}the run that executed it did, as these were not as before:\n {4}env MODE$/,
    );
    expect(await why(bench, 'publish')).toMatch(/publish +nothing to do: finished by kim@desk at \S+Z$/);
  });

  test('of a step that was not begun, and of one that nobody knows', async () => {
    await using bench = await aBench({ 'rating/src': 'r1' }); // The proxy has no file.
    await bench.run(aChain());

    expect(await why(bench, 'publish')).toMatch(/ {2}it was not begun/);
    expect(await why(bench, 'image:proxy')).toMatch(/✗ image:proxy .*every glob must match one/);
    expect(await why(bench, 'image:planet')).toBe('unknown');
  });
});
