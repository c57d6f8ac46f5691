import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeLayer } from '../layer.ts';
import { readLayout, writeLayout } from '../layout.ts';
import { checkSize, findBakedSecrets, findForbidden, imageMaxBytes } from './layers.ts';
import type { Finding } from './report.ts';

const signal = AbortSignal.timeout(10_000);

describe('findForbidden()', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-forbidden-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function look(files: Readonly<Record<string, string>>): Promise<Finding> {
    const entries = Object.entries(files).map(
      ([path, text]) => ({ kind: 'file', path, executable: false, content: Buffer.from(text) }) as const,
    );
    const layer = await writeLayer(entries, { file: join(folder, 'layer'), level: 1, signal });
    const layout = join(folder, 'layout');
    await writeLayout(layout, [layer], { entrypoint: ['/a'], workingDir: '/', env: [], labels: {} });
    return findForbidden(layout, (await readLayout(layout)).contents.layers, signal);
  }

  test('passes a bundle and its map', async () => {
    const finding = await look({
      'app/main.mjs': "process.env['API_TOKEN']",
      'app/main.mjs.map': '{}',
      'etc/hosts': '',
    });

    expect(finding.outcome).toBe('passed');
  });

  test.each([
    ['app/.env', 'a secret'],
    ['app/.env.production', 'a secret'],
    ['app/.npmrc', 'a secret'],
    ['etc/tls/server.key', 'a secret'],
    ['app/.git/HEAD', 'a repository'],
    ['app/node_modules/jest/index.js', 'development dependencies'],
    ['app/main.test.mjs', 'a test'],
  ])('fails an image with %s', async (path, what) => {
    expect(await look({ [path]: '' })).toEqual({ outcome: 'failed', detail: `"${path}" is ${what}` });
  });

  test.each([
    ['a private key', `-----BEGIN PRIVATE KEY-----\n${'M'.repeat(64)}\n`],
    ['an npm token', `"npm_${'a'.repeat(36)}"`],
  ])('fails an image whose bundle holds %s', async (_what, text) => {
    expect(await look({ 'app/main.mjs': text })).toEqual({ outcome: 'failed', detail: '"app/main.mjs" holds a key' });
  });
});

test('findBakedSecrets() names variables whose value only the cluster may know', () => {
  const env = { PATH: '/bin', NODE_ENV: 'production', NPM_TOKEN: 'x', DB_PASSWORD: 'y', SIGNING_KEY: 'z' };

  expect(findBakedSecrets(env)).toEqual(
    ['NPM_TOKEN', 'DB_PASSWORD', 'SIGNING_KEY'].map((name) => `the environment holds ${name}`),
  );
});

test('checkSize() takes the budget and not a byte more', () => {
  expect(checkSize(imageMaxBytes).outcome).toBe('passed');
  expect(checkSize(imageMaxBytes + 1).outcome).toBe('failed');
});
