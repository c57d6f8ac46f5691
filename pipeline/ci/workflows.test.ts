import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';

const repository = join(import.meta.dirname, '../..');
const folder = join(repository, '.github/workflows');
const files = readdirSync(folder);

type Step = { uses?: string; run?: string; with?: Record<string, unknown> };
type Job = {
  'timeout-minutes'?: unknown;
  permissions?: Record<string, string>;
  uses?: string;
  secrets?: unknown;
  steps?: Step[];
};
type Workflow = { name?: string; on: Record<string, unknown>; permissions?: unknown; jobs: Record<string, Job> };

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  const workflow = load(text) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  test('pins every action by commit, with its version beside it', () => {
    const uses = [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, used = '']) => used);

    for (const used of uses)
      expect(used).toMatch(/^(\.\/\.github\/workflows\/_run\.yml|actions\/[\w-]+@[0-9a-f]{40} # v[\d.]+)$/);
  });

  test('gives no right on top, and each job the least', () => {
    expect(workflow.permissions).toEqual({});
    for (const { permissions } of jobs) {
      expect(permissions).toBeDefined();
      expect(permissions?.['contents']).toBe('read');
      expect(
        Object.keys(permissions ?? {}).filter((name) => !['contents', 'packages', 'statuses'].includes(name)),
      ).toEqual([]);
    }
  });

  test('puts nothing of an event into a script, keeps no credentials, inherits no secrets', () => {
    for (const { run } of steps) expect(run ?? '').not.toContain('${{');
    for (const { uses, with: given } of steps)
      if (uses?.startsWith('actions/checkout')) expect(given?.['persist-credentials']).toBe(false);
    for (const { secrets } of jobs) expect(secrets).not.toBe('inherit');
    expect(Object.keys(workflow.on)).not.toContain('pull_request_target');
    expect(Object.keys(workflow.on)).not.toContain('workflow_run');
  });

  test('bounds the time of every job that has steps', () => {
    for (const { steps: own, 'timeout-minutes': minutes } of jobs) if (own) expect(minutes).toBeDefined();
  });

  test('replaces the shell by Headgate, so that a cancellation reaches it', () => {
    for (const { run = '' } of steps)
      if (run.includes('bin.js')) expect(run).toMatch(/(^|\n)exec node [^\n]*bin\.js[^\n]*\s*$/);
  });
});

test('only _run.yml and the check of pull requests have steps', () => {
  const withSteps = files.filter((file) =>
    Object.values((load(readFileSync(join(folder, file), 'utf8')) as Workflow).jobs).some(({ steps }) => steps),
  );

  expect(withSteps.sort()).toEqual(['_run.yml', 'check.yml']);
});

test('a pull request gets no secret and no right to write', () => {
  const text = readFileSync(join(folder, 'check.yml'), 'utf8');

  expect(text).not.toMatch(/secrets\.|: write|github\.token/);
});
