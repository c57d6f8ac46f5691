import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRegistry } from '@headgate/rollout/servers';
import { expect, test } from '@jest/globals';
import { fromMachine } from '../image/base.ts';
import { openImageBuilder } from '../image/image.ts';
import { readRequests } from '../image/test/requests.ts';
import { pushImage } from '../registry/client.ts';
import { comparePerf, type PerfRequest, requireNotSlower, verdictLines } from './gate.ts';
import { perfRule } from './rule.ts';

const repository = join(import.meta.dirname, '../../..');
const signal = AbortSignal.timeout(110_000);
const neverCalm = { ...perfRule, looks: [{ rounds: 1, share: 1 }], stillMaxMs: 0 };
const { PATH: path } = process.env;
const common = { replicas: 1, probe: undefined };
const services = {
  proxy: { ...common, port: 8080, env: { PATH_PREFIX: '/api' }, pulls: [] },
  rating: {
    ...common,
    port: undefined,
    env: {},
    pulls: ['ratings', 'users', 'services'].flatMap((of) => [`get.${of}`, `post.${of}`]).concat('delete.ratings'),
  },
};

test('comparePerf() measures two versions of real images side by side, and two rounds that are not calm say nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-perf-'));
  const registry = await startRegistry();
  try {
    const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(folder, 'base') }) });
    const images: Record<string, string> = {};
    for (const service of Object.keys(services)) {
      const request = {
        workspace: repository,
        source: `services/${service}`,
        labels: {},
        layout: join(folder, service),
      };
      const repo = `${new URL(registry.url).host}/ratings/${service}`;
      const { layout } = await builder.build(request, signal);
      images[service] =
        `${repo}@${(await pushImage(layout, { repository: repo, mountFrom: undefined }, signal)).digest}`;
    }
    const lines: string[] = [];
    const warned: string[] = [];
    await writeFile(join(folder, 'hey'), '#!/bin/sh\necho "Requests/sec: 90"\n', { mode: 0o755 });
    process.env['PATH'] = `${folder}:${path}`;
    const requests = await readRequests(join(repository, 'services/rating'));
    const folders = { imageFolder: join(folder, 'images'), workFolder: join(folder, 'work') };

    const request: PerfRequest = {
      ...{ app: 'ratings', services, migrate: undefined, before: images, after: images, beforeEnv: undefined },
      ...{ requests, ...folders, say: (line) => lines.push(line), warn: (line) => warned.push(line) },
      ...{ perSecond: 100, roundMs: 1_000, rule: neverCalm, priority: 'usual' },
    };

    const verdict = await comparePerf(request, signal);

    const node = { image: images['proxy'] ?? '', command: ['/usr/local/bin/node', '-e', 'throw "no table"'] };
    await expect(comparePerf({ ...request, migrate: node }, signal)).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringMatching(/their migration failed: it ended with 1: .*no table/),
    });
    // The old version alone has this variable, and does not take it.
    const beforeEnv = { proxy: { PATH_PREFIX: 'none' } };
    await expect(comparePerf({ ...request, beforeEnv }, signal)).rejects.toThrow(/^it ended with 64: .*PATH_PREFIX/);
    expect(
      lines.filter((line) => /^round \d, 0 of at most 1 calm: old \d+\/s, 0 errors.*new \d+\/s, 0 errors/.test(line)),
    ).toHaveLength(2);
    expect(lines[0]).toMatch(/^without real-time priority \(HEADGATE_PRIORITY is "usual"\)/);
    expect(lines[1]).toMatch(/^limits at 100 requests\/s: p50 50 ms, p95 200 ms, p99 400 ms; 10 % slower/);
    expect(lines).toContainEqual(
      expect.stringMatching(/^capacity.*: old (more than )?\d+\/s, new (more than )?\d+\/s$/),
    );
    expect(lines.filter((line) => /^hey: \d+ requests\/s/.test(line))).toHaveLength(1);
    expect(warned).toEqual(['hey under-delivered: it sent 90 of 100 requests/s']);
    expect(verdictLines(verdict)[0]).toMatch(/^cannot tell, from 0 calm of 2 rounds: only/);
    expect(() => requireNotSlower(verdict)).toThrow(expect.objectContaining({ code: 'PERF_UNDECIDED' }));
  } finally {
    process.env['PATH'] = path;
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
