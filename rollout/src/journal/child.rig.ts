/** A process of its own that works on the records of a folder, for tests that stop or kill it. Says each step on a line. */
import { openFileJournal } from './file.ts';

const [, , act = '', folder = '', argument = ''] = process.argv;
const { journal, lock } = openFileJournal(folder, {
  renewMs: 50,
  givenUpMs: 30_000,
  stopMs: 25_000,
  now: () => performance.now(),
});
const never = new AbortController().signal;
const say = (line: string): unknown => process.stdout.write(`${line}\n`);

/** Counts the head up `argument` times by compare-and-swap. */
async function increment(): Promise<void> {
  for (let done = 0; done < Number(argument); ) {
    const stored = await journal.read(never);
    const written = await journal.write(Number(stored?.head ?? 0) + 1, stored?.version, never);
    if (written.kind === 'written') done++;
  }
}

/** Writes heads of growing size and evidence until it is killed; says each number that was acknowledged. */
async function write(): Promise<void> {
  let version: string | undefined;
  for (let n = 1; ; n++) {
    const written = await journal.write({ n, filling: 'x'.repeat((n % 40) * 20_000) }, version, never);
    if (written.kind === 'written') version = written.version;
    await journal.appendEvidence(1, [n, 'y'.repeat(20_000)], never);
    say(String(n));
  }
}

/** Waits for a line, tries the lock, says the outcome, and keeps the lock until it is killed. */
async function drive(): Promise<void> {
  say('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  const acquired = await lock.acquire(argument, never);
  say(acquired.kind === 'held' ? 'held' : `busy ${acquired.holder}`);
  if (acquired.kind === 'held') acquired.lease.lost.addEventListener('abort', () => say('lost'));
  setInterval(() => {}, 1_000);
}

const acts: Readonly<Record<string, () => Promise<void>>> = { increment, write, drive };
await acts[act]?.();
