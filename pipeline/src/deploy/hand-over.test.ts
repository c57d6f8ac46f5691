import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { redactor } from '../run/redact.ts';
import { handOver } from './hand-over.ts';

test('handOver() leaves no secret in a report, and makes no folder for none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-reports-'));
  const [from, to] = [join(folder, 'from'), join(folder, 'out/junit')];
  const redact = redactor({ DB_PASSWORD: 'correct "horse" & battery' });

  await handOver({ from, to }, redact);
  const before = await readdir(folder);
  await mkdir(from);
  await writeFile(join(from, 'a.xml'), '<failure message="with correct &quot;horse&quot; &amp; battery"/>');
  await handOver({ from, to }, redact);

  expect(before).toEqual([]);
  expect(await readFile(join(to, 'a.xml'), 'utf8')).toBe('<failure message="with ***"/>');
  await rm(folder, { recursive: true });
});
