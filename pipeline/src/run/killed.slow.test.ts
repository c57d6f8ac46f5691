import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { run } from '../run.ts';
import { aDelivery, optionsFor } from './killed.rig.ts';

const eventsMax = 60;

describe('a run that is killed -9', () => {
  let folder: string;
  let world: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-killed-'));
    world = join(folder, 'world');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function aWorkspace(name: string): Promise<string> {
    const root = join(folder, name);
    await mkdir(join(root, 'src'), { recursive: true });
    await writeFile(join(root, 'src/main.ts'), 'export {};\n');
    return root;
  }

  async function aWorld(): Promise<void> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(world, { recursive: true });
  }

  /** @returns the exit code, or `undefined` for a process that was killed */
  async function inAProcess(root: string, event: number) {
    const rig = join(import.meta.dirname, 'killed.rig.ts');
    const args = ['--import', 'tsx', '--conditions=source', rig, root, world, String(event)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(child, 'exit');
    return code === null ? undefined : Number(code);
  }

  async function expectWhole(root: string): Promise<void> {
    const { exitCode, steps } = await run(
      aDelivery(world),
      optionsFor(root, () => {}),
    );
    expect({ exitCode, steps }).toMatchObject({ exitCode: 0 });
    expect((await readdir(world)).sort()).toEqual(['candidate', 'live', 'published']);
  }

  test('at every boundary is ended by a run from another folder, and each effect happens once', async () => {
    let boundaries = 0;
    for (let event = 1; event <= eventsMax; event++) {
      await aWorld();
      if ((await inAProcess(await aWorkspace('here'), event)) !== undefined) break;
      boundaries += 1;
      await expectWhole(await aWorkspace('there'));
    }

    expect(boundaries).toBeGreaterThanOrEqual(10); // Start and end of three steps, two intents, start and end of the run.
  }, 240_000);
});
