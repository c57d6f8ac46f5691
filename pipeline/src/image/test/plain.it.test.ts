import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { fromMachine } from '../base.ts';
import { openImageBuilder } from '../image.ts';
import { testImage } from './test-image.ts';

/** Answers its probe, and ends with `code` when it is told to go. */
const mainOf = (code: number) => `
  const { createServer } = await import('node:http');
  const { ADMIN_PORT, HOST, PORT } = process.env;
  createServer((_, response) => response.end()).listen(Number(ADMIN_PORT), HOST);
  const users = createServer(({ url }, response) => response.writeHead(url === '/api/hello?a=1' ? 200 : 404).end());
  users.listen(Number(PORT), HOST);
  // What was sent before the signal is on its way still.
  process.on('SIGTERM', () => setTimeout(() => users.close(() => process.exit(${code})), 500));`;

test.each([
  { how: 'passes', code: 0, bad: [] },
  { how: 'fails for its end alone', code: 3, bad: ['drains on SIGTERM under load'] },
])(
  'testImage() $how a service of an app without a queue, which nobody stands behind',
  async ({ code, bad }) => {
    const signal = AbortSignal.timeout(110_000);
    const folder = await mkdtemp(join(tmpdir(), 'headgate-test-plain-'));
    try {
      await mkdir(join(folder, 'web/src'), { recursive: true });
      await writeFile(join(folder, 'web/src/main.ts'), mainOf(code));
      const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(folder, 'base') }) });
      const layout = join(folder, 'out');
      await builder.build({ workspace: folder, source: 'web', labels: {}, layout }, signal);
      const web = { replicas: 1, port: 80, env: { PATH_PREFIX: '/api' }, pulls: [], probe: '/api/hello?a=1' };

      const report = await testImage(
        {
          ...{
            app: 'shop',
            services: { web },
            migrate: undefined,
            service: 'web',
            layout,
            requests: [],
            live: undefined,
            adopt: undefined,
          },
          ...{ imageFolder: join(folder, 'images'), workFolder: join(folder, 'ground'), graceMs: 8_000 },
        },
        signal,
      );

      expect(report.checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual(bad);
      expect(report.checks.map(({ name }) => name)).toContain('stays within 200 MB under load');
      expect(report.checks.some(({ name }) => /NATS|subject/.test(name))).toBe(false);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000,
);
