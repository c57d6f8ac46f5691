import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';

const repository = join(import.meta.dirname, '../..');

type Action = { readonly runs: { readonly steps: readonly { if?: string; run: string }[] } };

test("the action's own lines run Headgate in a repository that is not its own", async () => {
  const { runs } = load(await readFile(join(repository, 'action.yml'), 'utf8')) as Action;
  const foreign = await mkdtemp(join(tmpdir(), 'headgate-foreign-'));
  try {
    await writeFile(join(foreign, 'headgate.yaml'), 'app: shop\nservices:\n  web: { source: web, port: 80 }\n');
    const env = { ...process.env, ACTION: repository, ARGS: 'config show --json', REASON: '' };
    const said: string[] = [];
    // The first line is for machines of GitHub's own, as its `if` says.
    for (const { run } of runs.steps.filter((step) => step.if === undefined)) {
      const { stdout } = await promisify(execFile)('bash', ['--norc', '-e', '-c', run], { cwd: foreign, env });
      said.push(stdout);
    }

    expect(said).toHaveLength(2);
    expect(JSON.stringify(JSON.parse(said.at(-1) ?? ''))).toContain('"shop"');
  } finally {
    await rm(foreign, { recursive: true });
  }
}, 60_000);
