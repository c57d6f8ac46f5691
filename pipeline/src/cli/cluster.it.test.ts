import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const app = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

test('cluster start, logs and stop answer as JSON, and a platform that is stopped is started again', async () => {
  await using shell = await aShell({ 'headgate.yaml': app }, process.env);
  const asked = async (verb: string) => {
    const { code, out } = await shell.run('cluster', verb, '--json');
    expect({ verb, code }).toEqual({ verb, code: 0 });
    return JSON.parse(out);
  };
  try {
    const first = await asked('start');

    expect(await asked('info')).toEqual(first);
    expect(await asked('logs')).toEqual([]); // No lane has been released into yet.
    expect(await asked('stop')).toEqual({ running: false });
    expect(await asked('stop')).toEqual({ running: false });
    expect((await asked('start')).pid).not.toBe(first.pid);
  } finally {
    await shell.run('cluster', 'down');
  }
}, 120_000);
