import { readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeVersion } from '../demo/versions.ts';
import { aShell } from './shell.rig.ts';

const repository = join(import.meta.dirname, '../../..');

test('run deliver --plan tells every step, starts no server and leaves no file', async () => {
  await using shell = await aShell();
  await makeVersion(repository, shell.cwd, []);
  await writeFile(join(shell.cwd, 'headgate.yaml'), readFileSync(join(repository, 'headgate.yaml'), 'utf8'));
  const before = await readdir(shell.cwd, { recursive: true });

  const json = await shell.run('run', 'deliver', '--skip-check', '--plan', '--json');
  const plain = await shell.run('run', 'images', '--skip-check', '--plan');

  expect(JSON.parse(json.out)).toEqual([
    { step: 'image:proxy', kind: 'would-run', changed: ['never run'] },
    { step: 'imagetest:proxy', kind: 'blocked', by: ['image:proxy'] },
    { step: 'image:rating', kind: 'would-run', changed: ['never run'] },
    { step: 'imagetest:rating', kind: 'blocked', by: ['image:rating'] },
    { step: 'publish', kind: 'blocked', by: ['imagetest:proxy', 'imagetest:rating'] },
    { step: 'staging', kind: 'blocked', by: ['publish'] },
    { step: 'release', kind: 'blocked', by: ['publish', 'staging'] },
  ]);
  expect(plain.out).toMatch(/^> image:proxy +would run: never run\n\? imagetest:proxy +depends on what image:proxy /);
  expect([json.code, plain.code]).toEqual([0, 0]);
  expect(await readdir(shell.cwd, { recursive: true })).toEqual(before);
});

test('perf --plan is the way to the performance gate, without a staging and without a release', async () => {
  await using shell = await aShell();
  await makeVersion(repository, shell.cwd, []);
  await writeFile(join(shell.cwd, 'headgate.yaml'), readFileSync(join(repository, 'headgate.yaml'), 'utf8'));
  const image = (name: string) => `${name}=registry.example/ratings/${name}@sha256:${'a'.repeat(64)}`;

  const { code, out } = await shell.run(
    'perf',
    '--against',
    `${image('proxy')},${image('rating')}`,
    '--plan',
    '--json',
  );

  const steps = (JSON.parse(out) as { step: string }[]).map(({ step }) => step);
  expect(steps).toEqual(['image:proxy', 'imagetest:proxy', 'image:rating', 'imagetest:rating', 'publish', 'perf']);
  expect(code).toBe(0);
});

test.each([
  { against: [], code: 64, says: 'as nothing of proxy, rating is live yet\n  name an image of each with --against' },
  { against: ['--against', `proxi=r/p@sha256:${'a'.repeat(64)}`], code: 64, says: 'there is no such service' },
  { against: ['--against', 'proxy=r/p:latest'], code: 12, says: 'must be pinned by digest' },
])('perf $against exits $code before anything is started', async ({ against, code, says }) => {
  await using shell = await aShell({ 'headgate.yaml': readFileSync(join(repository, 'headgate.yaml'), 'utf8') });

  const ran = await shell.run('perf', ...against);

  expect(ran.code).toBe(code);
  expect(ran.err).toContain(says);
  expect(await readdir(shell.cwd)).toEqual(['headgate.yaml']);
});
