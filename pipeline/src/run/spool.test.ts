import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { redactor } from './redact.ts';
import { LogSpool } from './spool.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-spool-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What is in the file and what was heard, after `write`. */
async function spooled(write: (spool: LogSpool) => void, secrets: Readonly<Record<string, string>> = {}) {
  const heard: string[] = [];
  const file = join(folder, 'deep', 'step.log');
  let tail: readonly string[];
  {
    using spool = new LogSpool({ file, redact: redactor(secrets), onLine: (line) => heard.push(line) });
    write(spool);
    spool.flush();
    tail = spool.tail;
  }
  return { heard, tail, text: await readFile(file, 'utf8') };
}

describe('LogSpool', () => {
  test('makes whole lines of whatever pieces come, each stream for itself', async () => {
    const { heard, text } = await spooled((spool) => {
      spool.write('stdout', Buffer.from('one, st'));
      spool.write('stderr', Buffer.from('two\n'));
      spool.write('stdout', Buffer.from('ill one\r\nthree'));
      spool.log('four\nfive');
    });

    expect(heard).toEqual(['two', 'one, still one', 'four', 'five', 'three']);
    expect(text).toBe(`${heard.join('\n')}\n`);
  });

  test('puts a character together that comes in two pieces', async () => {
    const bytes = Buffer.from('a😀b\n');

    const { heard } = await spooled((spool) => {
      spool.write('stdout', bytes.subarray(0, 3));
      spool.write('stdout', bytes.subarray(3));
    });

    expect(heard).toEqual(['a😀b']);
  });

  test('breaks a line that is too long for readers', async () => {
    const { heard } = await spooled((spool) => spool.log('x'.repeat(10_000)));

    expect(heard.map((line) => line.length)).toEqual([4_096, 4_096, 1_808]);
  });

  test('keeps the last 60 lines at hand', async () => {
    const { tail } = await spooled((spool) => {
      for (let i = 0; i < 100; i++) spool.log(`line ${i}`);
    });

    expect([tail.length, tail[0], tail.at(-1)]).toEqual([60, 'line 40', 'line 99']);
  });

  test('lets no secret through, wherever the pieces are cut, in a line without end too', async () => {
    const secrets = { TOKEN: 'open-sesame-7' };
    const endless = `${'x'.repeat(70_000)}open-sesame-7${'y'.repeat(70_000)}`;

    const { text, heard } = await spooled((spool) => {
      spool.write('stdout', Buffer.from('with open-ses'));
      spool.write('stdout', Buffer.from('ame-7 inside\n'));
      for (let at = 0; at < endless.length; at += 1_000)
        spool.write('stdout', Buffer.from(endless.slice(at, at + 1_000)));
    }, secrets);

    expect(text + heard.join('')).not.toContain('open-sesame-7');
    expect(text.replaceAll('\n', '')).toMatch(/^with .* inside/);
  });

  test('begins the file anew', async () => {
    await spooled((spool) => spool.log('first'));

    expect((await spooled((spool) => spool.log('second'))).text).toBe('second\n');
  });
});
