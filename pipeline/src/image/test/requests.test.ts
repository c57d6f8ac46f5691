import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readRequests, requestsFile } from './requests.ts';

describe('readRequests()', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-requests-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('fills in what may be left out', async () => {
    await writeFile(join(folder, requestsFile), '[{ "subject": "get.ratings", "status": 200 }]');

    expect(await readRequests(folder)).toEqual([{ subject: 'get.ratings', query: '', body: undefined, status: 200 }]);
  });

  test('gives none for a service without the file', async () => {
    expect(await readRequests(folder)).toEqual([]);
  });

  test.each([
    ['{}', 'it must be a list'],
    ['[', 'it must be JSON'],
    ['[{ "subject": "ratings", "status": 200 }]', '[0].subject must be like "get.ratings": current value is "ratings"'],
    ['[{ "subject": "get.ratings" }]', '[0].status must be a number'],
    ['[null]', '[0].subject'],
  ])('refuses %s', async (text, rule) => {
    await writeFile(join(folder, requestsFile), text);

    await expect(readRequests(folder)).rejects.toMatchObject({
      code: 'SPEC_INVALID',
      message: expect.stringContaining(rule),
    });
  });
});
