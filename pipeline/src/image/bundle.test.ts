import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bundleService } from './bundle.ts';

describe('bundleService()', () => {
  let workspace: string;
  beforeEach(async () => {
    workspace = await mkdtemp(join(tmpdir(), 'headgate-bundle-'));
  });
  afterEach(() => rm(workspace, { recursive: true, force: true }));

  async function write(path: string, text: string): Promise<void> {
    await mkdir(join(workspace, path, '..'), { recursive: true });
    await writeFile(join(workspace, path), text);
  }

  test('makes one module that runs alone, CommonJS packages that call require() included', async () => {
    await write('node_modules/old/index.js', "const os = require('os'); exports.eol = os.EOL;");
    await write('services/a/src/main.ts', "import { eol } from 'old'; process.stdout.write('ran' + eol);");

    const entries = await bundleService({ workspace, source: 'services/a' });

    for (const entry of entries)
      if (entry.kind === 'file') await write(`image/${entry.path}`, String(Buffer.from(entry.content)));
    const { stdout } = await promisify(execFile)(process.execPath, [join(workspace, 'image/app/main.mjs')]);
    expect(stdout).toBe('ran\n');
    expect(entries.map(({ path }) => path).sort()).toEqual(['app/main.mjs', 'app/main.mjs.map']);
  });

  test('keeps the folder of the build out of the bytes', async () => {
    await write('services/a/src/main.ts', 'export const here = 1;');

    const entries = await bundleService({ workspace, source: 'services/a' });

    for (const entry of entries)
      if (entry.kind === 'file') expect(String(Buffer.from(entry.content))).not.toContain(workspace);
  });

  test('names the line that does not compile', async () => {
    await write('services/a/src/main.ts', "import { gone } from './gone.ts';\nexport const x = gone;");

    await expect(bundleService({ workspace, source: 'services/a' })).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringMatching(/"\.\/services\/a\/src\/main\.ts".*Could not resolve.*main\.ts:1:21/s),
    });
  });
});
