import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { age, copyOf } from './clone.rig.ts';
import { openImageBuilder } from './image.ts';

const signal = AbortSignal.timeout(60_000);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-same-sources-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(['services/proxy', 'services/rating'])(
  'the same sources of %s in two folders at two times under two umasks are one digest',
  async (source) => {
    const builder = await openImageBuilder('oci', { base: async () => [] });
    const build = (workspace: string) =>
      builder.build({ workspace, source, labels: {}, layout: join(workspace, 'layout') }, signal);
    const here = await copyOf(source, join(folder, source, 'here'));
    const there = await copyOf(source, join(folder, source, 'far/away/there'));
    await age(there);

    const first = await build(here);
    const umask = process.umask(0o077);
    const second = await build(there).finally(() => process.umask(umask));

    expect(second.digest).toBe(first.digest);
    expect(second.layers).toEqual(first.layers);
  },
  60_000,
);
