import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent } from '../src/event.ts';
import { aDelivery, optionsFor } from '../src/run/killed.rig.ts';
import { run } from '../src/run.ts';
import type { Report } from './report.ts';

const moments = 60;
const momentsMs = 400;

/** A pipeline's run is killed -9 at random moments; a run in the same folder ends it, does each effect once and repeats no step that was done. */
export async function killedRun(report: Report): Promise<void> {
  let ended = 0;
  for (let moment = 0; moment < moments; moment++) {
    const problem = await trial(Math.random() * momentsMs);
    if (problem === undefined) ended++;
    else report.check(`killed at a random moment`, false, problem);
  }
  report.check(`${ended} of ${moments} killed runs were ended by the next one`, ended === moments);
}

async function trial(afterMs: number): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-killed-'));
  const [world, root] = [join(folder, 'world'), join(folder, 'here')];
  try {
    await mkdir(world);
    await mkdir(join(root, 'src'), { recursive: true });
    await writeFile(join(root, 'src/main.ts'), 'export {};\n');
    await killed(root, world, afterMs);
    const published = (await readdir(world)).includes('published');
    const events: RunEvent[] = [];
    const { exitCode } = await run(
      aDelivery(world),
      optionsFor(root, (event) => void events.push(event)),
    );
    const whole = (await readdir(world)).sort().join() === 'candidate,live,published';
    const repeated = published && !events.some(({ kind }) => kind === 'step.cached');
    const told = `${Math.round(afterMs)} ms: exit code ${exitCode}, ${JSON.stringify(events)}`;
    return exitCode === 0 && whole && !repeated ? undefined : told;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function killed(root: string, world: string, afterMs: number): Promise<void> {
  const rig = join(import.meta.dirname, '../src/run/killed.rig.ts');
  const args = ['--import', 'tsx', '--conditions=source', rig, root, world, '0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  await sleep(afterMs);
  child.kill('SIGKILL');
  await ended;
}
