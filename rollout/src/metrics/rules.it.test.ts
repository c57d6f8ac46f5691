import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { findPrometheus } from './prometheus.rig.ts';

const role = join(import.meta.dirname, '../../../ansible/roles/observability');

test('each alert fires for what it is for, and not for its neighbour: promtool plays it', async () => {
  const promtool = join(dirname(await findPrometheus()), 'promtool');
  const run = (...args: string[]) => promisify(execFile)(promtool, args, { cwd: join(role, 'tests') });

  expect((await run('check', 'rules', '../files/rules.yml')).stdout).toContain('SUCCESS: 10 rules found');
  expect((await run('test', 'rules', 'rules.yml')).stdout).toContain('SUCCESS');
});
