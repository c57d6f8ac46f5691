import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const app = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

test('doctor names a registry that does not answer, and what to do', async () => {
  await using shell = await aShell({ 'headgate.yaml': app }, { HEADGATE_REGISTRY: '127.0.0.1:1/ratings' });

  const { code, out } = await shell.run('doctor', '--json');

  expect(code).toBe(1);
  expect(JSON.parse(out).findings).toContainEqual({
    kind: 'missing',
    about: 'the registry',
    said: expect.stringContaining('127.0.0.1:1'),
    cure: expect.stringContaining('curl http://127.0.0.1:1/v2/'),
  });
});
