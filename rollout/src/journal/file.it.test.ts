import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { tied } from '../platform/local/servers/process.ts';
import { leaseTimes } from './app-lock.ts';
import { openFileJournal } from './file.ts';
import { temporaryFolder } from './folder.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

/** A child that is gone when its block ends; `next` gives its next line. */
class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  readonly #over: Promise<unknown>;

  constructor(...args: readonly string[]) {
    const rig = fileURLToPath(new URL('./child.rig.ts', import.meta.url));
    const program = ['--import', 'tsx', '--conditions=source', rig, ...args];
    this.process = spawn(...tied(process.execPath, program), {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface(this.process.stdout!).on('line', (line) => {
      this.lines.push(line);
      this.process.emit('said');
    });
    this.#over = once(this.process, 'exit');
  }

  async said(condition: (lines: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.lines)) await once(this.process, 'said', { signal: signal() });
  }

  over(): Promise<unknown> {
    return this.#over;
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#over;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

describe('the file journal between processes', () => {
  test('loses no update of processes that count one head up, after a dead one left its lock', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'changing'));
    await symlink('held by gone/1/1', join(folder.path, 'changing', '1'));
    const children = Array.from({ length: 4 }, () => new Child('increment', folder.path, '25'));

    const codes = await Promise.all(children.map((child) => child.over()));

    expect(codes).toEqual(children.map(() => [0, null]));
    expect(await openFileJournal(folder.path).journal.read(signal())).toMatchObject({ head: 100 });
  }, 120_000);

  test('keeps every acknowledged write when the writer is killed in the middle', async () => {
    await using folder = await temporaryFolder();
    for (let round = 0; round < 8; round++) {
      const place = join(folder.path, String(round));
      await using child = new Child('write', place);
      const { journal } = openFileJournal(place);
      const within = AbortSignal.timeout(60_000);
      while (child.lines.length < 3 + 2 * round) await journal.read(within); // Never sees half a head.
      await child.kill();
      const acknowledged = child.lines.length;

      const stored = await journal.read(signal());
      const evidence = await journal.readEvidence(1, signal());

      expect((stored!.head as { n: number }).n).toBeGreaterThanOrEqual(acknowledged);
      expect(evidence.filter((entry) => typeof entry === 'number').length).toBeGreaterThanOrEqual(acknowledged);
      expect(await journal.write('next', stored!.version, signal())).toMatchObject({ kind: 'written' });
      await journal.appendEvidence(1, ['next'], signal());
      expect((await journal.readEvidence(1, signal())).at(-1)).toBe('next');
    }
  }, 120_000);
});

describe('the app lock between processes', () => {
  test('goes to one of two, and to the next at once when its holder is killed', async () => {
    await using folder = await temporaryFolder();
    await using one = new Child('drive', folder.path, 'one');
    await using two = new Child('drive', folder.path, 'two');
    await Promise.all([one, two].map((child) => child.said((lines) => lines.includes('ready'))));

    one.process.stdin!.write('go\n');
    two.process.stdin!.write('go\n');
    await Promise.all([one, two].map((child) => child.said(({ length }) => length === 2)));

    const [winner, loser] = one.lines.includes('held') ? [one, two] : [two, one];
    expect(winner.lines).toEqual(['ready', 'held']);
    expect(loser.lines).toEqual(['ready', `busy ${winner === one ? 'one' : 'two'}`]);
    const { lock } = openFileJournal(folder.path);
    expect(await lock.acquire('three', signal())).toMatchObject({ kind: 'busy' });

    await winner.kill();

    const next = await lock.acquire('three', signal());
    expect(next.kind).toBe('held');
    if (next.kind === 'held') await next.lease[Symbol.asyncDispose]();
  });

  test('goes on after 30 s without renewal by the clock of who waits, and the stalled holder hears of it', async () => {
    await using folder = await temporaryFolder();
    await using stalled = new Child('drive', folder.path, 'stalled');
    await stalled.said((lines) => lines.includes('ready'));
    stalled.process.stdin!.write('go\n');
    await stalled.said((lines) => lines.includes('held'));
    let now = 0;
    const { lock } = openFileJournal(folder.path, { ...leaseTimes, now: () => now });
    stalled.process.kill('SIGSTOP');

    expect(await lock.acquire('next', signal())).toEqual({ kind: 'busy', holder: 'stalled' });
    now += 29_999;
    expect(await lock.acquire('next', signal())).toEqual({ kind: 'busy', holder: 'stalled' });
    now += 1;
    const acquired = await lock.acquire('next', signal());

    expect(acquired.kind).toBe('held');
    stalled.process.kill('SIGCONT');
    await stalled.said((lines) => lines.includes('lost'));
    expect((await lock.holding(signal()))?.holder).toBe('next');
    if (acquired.kind === 'held') await acquired.lease[Symbol.asyncDispose]();
  });

  test('is never taken from a holder that renews, however long it drives', async () => {
    await using folder = await temporaryFolder();
    await using driver = new Child('drive', folder.path, 'driver');
    await driver.said((lines) => lines.includes('ready'));
    driver.process.stdin!.write('go\n');
    await driver.said((lines) => lines.includes('held'));
    let now = 0;
    const { lock } = openFileJournal(folder.path, { ...leaseTimes, now: () => now });

    const within = signal();
    for (let look = 0; look < 4; look++) {
      expect(await lock.acquire('next', signal())).toEqual({ kind: 'busy', holder: 'driver' });
      const before = await renewal(folder.path);
      while ((await renewal(folder.path)) === before) await sleep(10, undefined, { signal: within });
      now += 60_000;
    }
  });
});

/** When the holder last renewed its claim. */
async function renewal(folder: string): Promise<number> {
  const [name = ''] = await readdir(join(folder, 'driving'));
  return (await lstat(join(folder, 'driving', name))).mtimeMs;
}
