import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { aBench } from '../pipeline.rig.ts';
import { step } from '../step.ts';
import { aShell } from './shell.rig.ts';

const yaml = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

/** A run of two steps, and `headgate logs` beside it. The first one fails when `state` is not "good". */
async function afterRun() {
  const [bench, shell] = [await aBench({ 'headgate.yaml': yaml, state: 'good' }), await aShell()];
  const image = step('image:app', {
    kind: 'pure',
    needs: [],
    inputs: { files: ['state'] },
    run: async ({ root, log }) => {
      log('first line\nlast line');
      if (readFileSync(join(root, 'state'), 'utf8') !== 'good') throw new Error('not good');
    },
  });
  const publish = step('publish', { kind: 'pure', needs: [image], inputs: {}, run: async ({ log }) => log('pushed') });
  await bench.run([image, publish]);
  const logs = (...args: string[]) => shell.run('logs', ...args, '--file', join(bench.root, 'headgate.yaml'));
  const again = () => bench.run([image, publish]);
  const dispose = async () => void (await Promise.all([bench, shell].map((one) => one[Symbol.asyncDispose]())));
  return { bench, logs, again, [Symbol.asyncDispose]: dispose };
}

test('logs prints the whole log of the last run of a step, and no word more', async () => {
  await using ran = await afterRun();

  const { code, out, err } = await ran.logs('image:app');

  expect({ code, out, err }).toEqual({ code: 0, out: 'first line\nlast line\n', err: '' });
});

test('logs --json has its lines, and of which run they are', async () => {
  await using ran = await afterRun();
  const { run } = await ran.again();

  const { out } = await ran.logs('image:app', '--json');

  const lines = ['first line', 'last line'];
  expect(JSON.parse(out)).toEqual({ step: 'image:app', run, older: false, file: 'out/logs/image.app.log', lines });
});

test('logs says when the last run did not come to the step', async () => {
  await using ran = await afterRun();
  await ran.bench.write({ state: 'bad' });
  const { run } = await ran.again();

  const { code, out, err } = await ran.logs('publish');

  expect({ code, out }).toEqual({ code: 0, out: 'pushed\n' });
  expect(err).toBe(`run ${run} did not execute publish; this is of an earlier one\n`);
});

test('logs of a step that no run had exits 64 and names the known ones', async () => {
  await using ran = await afterRun();

  const { code, err } = await ran.logs('image:ap');

  expect(code).toBe(64);
  expect(err).toBe(
    'Cannot look at step "image:ap" as no run on record has it\n  name one of these: image:app, publish\n',
  );
});

test('logs of a log that was removed exits 64 and names the file', async () => {
  await using ran = await afterRun();
  await rm(join(ran.bench.root, 'out'), { recursive: true });

  const { code, err } = await ran.logs('publish');

  expect(code).toBe(64);
  expect(err).toContain(`there is no file "${join(ran.bench.root, 'out/logs/publish.log')}"`);
});
