import { readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { anEar } from '../../../rollout/src/notify/ear.rig.ts';
import { anApp } from './process.rig.ts';

test('headgate perf tells how it ended: page, outputs and webhook', async () => {
  await using app = await anApp('true');
  await using hook = await anEar(200);
  // What lies here cannot be built, so nothing needs to be measured for it to end.
  await rm(join(app.root, 'services/proxy/src/main.ts'));
  const [summary, output] = [join(app.home, 'summary'), join(app.home, 'output')];
  for (const file of [summary, output]) await writeFile(file, '');
  const live = `registry.example/ratings/proxy@sha256:${'a'.repeat(64)}`;

  const running = app.start(['perf', '--against', `proxy=${live}`], {
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), // Where nats-server is.
    HEADGATE_HOST: 'github',
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_OUTPUT: output,
    HEADGATE_WEBHOOK: hook.url,
  });
  const { code } = await running.ended;
  await app.start(['cluster', 'down']).ended;

  expect([code, running.text()]).toEqual([1, expect.stringContaining('image:proxy')]);
  expect(await readFile(summary, 'utf8')).toMatch(/^## deliver-ratings: failed in .*\n(.*\n)*\| image:proxy \| ✗ /);
  expect(await readFile(output, 'utf8')).toMatch(/^exit-code<<(\S+)\n1\n\1$/m);
  expect(JSON.parse(hook.heard[0]?.body ?? '{}')).toMatchObject({ exitCode: 1 });
}, 120_000);
