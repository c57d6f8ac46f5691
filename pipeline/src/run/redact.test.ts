import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { redactDeep, redactor } from './redact.ts';
import { LogSpool } from './spool.ts';

const token = 'p@ss/w0rd+"x';
const redact = redactor({ TOKEN: token });

describe('redactor()', () => {
  test.each([
    { form: 'as it is', text: `login ${token} ok`, shows: 'login *** ok' },
    { form: 'in a URL', text: `https://kim:${encodeURIComponent(token)}@host`, shows: 'https://kim:***@host' },
    { form: 'in a URL in lower case', text: encodeURIComponent(token).toLowerCase(), shows: '***' },
    { form: 'half encoded', text: token.replace('@', '%40'), shows: '***' },
    { form: 'as a form field', text: new URLSearchParams({ token }).toString(), shows: 'token=***' },
    { form: 'in XML', text: token.replaceAll('"', '&quot;'), shows: '***' },
    { form: 'in JSON', text: JSON.stringify({ token }), shows: '{"token":"***"}' },
    {
      form: 'in JSON inside of JSON',
      text: JSON.stringify(JSON.stringify({ token })),
      shows: '"{\\"token\\":\\"***\\"}"',
    },
    { form: 'in a shell', text: token.replaceAll(/[^a-z0-9]/gi, '\\$&'), shows: '***' },
  ])('hides a secret $form', ({ text, shows }) => {
    expect(redact(text)).toBe(shows);
  });

  test.each(['base64', 'base64url'] as const)('hides a secret in %s, with whatever text around it', (encoding) => {
    const secret = fc.string({ minLength: 6, unit: 'binary' });
    fc.assert(
      fc.property(secret, fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, before, after) => {
        const coded = Buffer.from(`${before}${value}${after}`).toString(encoding);

        const shown = redactor({ value })(coded);

        // At either end a digit holds bits of the neighbour too, and stays.
        const hidden = coded.length - shown.replaceAll('*', '').length;
        expect(hidden).toBeGreaterThanOrEqual(Math.floor((Buffer.byteLength(value) * 8) / 6) - 2);
      }),
    );
  });

  test('hides the longer secret first, so that none of it is left standing', () => {
    const both = redactor({ SHORT: 'abcd', LONG: 'abcd-efgh' });

    expect(both('abcd-efgh abcd')).toBe('*** ***');
  });

  test('hides each long line of a secret with several', () => {
    const key = redactor({ KEY: '-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----' });

    expect(key('> MIIEvQIBADAN <')).toBe('> *** <');
  });

  test('hides base64 that is broken into lines, whatever stands around a key in it', () => {
    const key = `-----BEGIN KEY-----\n${fc.sample(fc.base64String({ minLength: 64, maxLength: 64 }), 12).join('\n')}\n-----END KEY-----`;
    const hide = redactor({ KEY: key, TOKEN: 'fifteen letters' });
    for (const before of ['', '1', '12']) {
      const lines = (text: string) => Buffer.from(text).toString('base64').replaceAll(/.{76}/g, '$&\n').split('\n');

      const shown = lines(`${before}${key}`).map(hide);

      expect(shown.filter((line) => line.replaceAll('*', '').length >= 16)).toEqual([]);
      const token = lines(`${'-'.repeat(50)}${before}fifteen letters!`).join('\n');
      expect(hide(token)).not.toContain(token.slice(-8, -4));
    }
  });

  test('does not cost a log with a private key among its secrets more than it takes to read it', () => {
    const lines = fc.sample(fc.base64String({ minLength: 64, maxLength: 64 }), 24);
    const hide = redactor({ KEY: `-----BEGIN KEY-----\n${lines.join('\n')}\n-----END KEY-----` });
    const log = 'words that a compiler says at 12:00:00 of one of its files\n'.repeat(20_000);
    const begun = process.cpuUsage();

    expect(hide(log)).toBe(log);
    // Of its own time, not of the clock's: 1.2 MB took 3.5 s as one expression, and takes 0.1 s.
    expect(process.cpuUsage(begun).user).toBeLessThan(1_500_000);
  });

  test('leaves a text without secrets as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(redactor({})(text)).toBe(text);
        expect(redactor({ TOKEN: `${text} and more` })(text)).toBe(text);
      }),
    );
  });

  test('refuses a secret that would hide half of the log, and does not say it', () => {
    expect(() => redactor({ PIN: 'abc' })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.not.stringContaining('abc') }),
    );
  });
});

test('redactDeep() hides secrets in every text of a value and keeps its shape', () => {
  expect(redactDeep({ a: [token, 1, null, undefined], b: { c: `x${token}` } }, redact)).toEqual({
    a: ['***', 1, null, undefined],
    b: { c: 'x***' },
  });
});

describe('LogSpool', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-spool-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** What is in the file after these chunks of stdout. */
  async function written(chunks: readonly Uint8Array[], hide = redact) {
    const lines: string[] = [];
    const file = join(folder, 'deep', 'step.log');
    {
      using spool = new LogSpool({ file, redact: hide, onLine: (line) => lines.push(line) });
      for (const chunk of chunks) spool.write('stdout', chunk);
    }
    const text = await readFile(file, 'utf8');
    expect(text).toBe(lines.map((line) => `${line}\n`).join(''));
    return text;
  }

  test('hides a secret that comes in two chunks, wherever it is cut', async () => {
    const bytes = Buffer.from(`before ${token} after\nnext\n`);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(await written([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe('before *** after\nnext\n');
    }
  });

  test('hides a secret in a line without end that is longer than it keeps', async () => {
    for (const size of [65_536 - 16_384 - 3, 65_536 - 3, 65_536 + 3]) {
      const text = await written([Buffer.from('-'.repeat(size)), Buffer.from(token), Buffer.from('-'.repeat(70_000))]);

      expect(text.replaceAll('\n', '')).toBe(`${'-'.repeat(size)}***${'-'.repeat(70_000)}`);
    }
  });

  test('puts characters of several bytes together again', async () => {
    expect(await written([...Buffer.from('grün ✓')].map((byte) => Uint8Array.of(byte)))).toBe('grün ✓\n');
  });

  test('keeps stdout and stderr apart until a line is whole', async () => {
    const file = join(folder, 'step.log');
    {
      using spool = new LogSpool({ file, redact, onLine: () => {} });
      spool.write('stdout', Buffer.from('one '));
      spool.write('stderr', Buffer.from('two\n'));
      spool.write('stdout', Buffer.from('line\n'));
    }
    expect(await readFile(file, 'utf8')).toBe('two\none line\n');
  });

  test('remembers the last 60 lines', () => {
    using spool = new LogSpool({ file: join(folder, 'step.log'), redact, onLine: () => {} });

    for (let line = 1; line <= 100; line += 1) spool.log(`line ${line}`);

    expect(spool.tail).toHaveLength(60);
    expect([spool.tail.at(0), spool.tail.at(-1)]).toEqual(['line 41', 'line 100']);
  });
});
