import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { headFallenBy } from './fallen.rig.ts';
import { tellRelease } from './release.ts';

const signal = () => AbortSignal.timeout(5_000);

/** A journal whose seventh release failed all that its candidate got, and a host that keeps what it is told. */
async function aHost(url: string | undefined) {
  const root = await mkdtemp(join(tmpdir(), 'headgate-told-'));
  const { journal } = openFileJournal(join(root, 'journal'));
  const settings = { alpha: 0.01, beta: 0.01, bakeSec: 180, tolerate: 'default', slow: [] };
  const live = { requests: 950, failed: 1, refused: 0 };
  const sample = { seconds: 1, candidateShare: 5, live, candidate: { requests: 50, failed: 50, refused: 0 } };
  const samples = [1, 2, 3, 4, 5].map((sec) => ({ kind: 'sample', at: 1_000 * sec, lags: null, sample }));
  await journal.appendEvidence(7, [{ kind: 'start', settings }, { kind: 'share', share: 5 }, ...samples], signal());
  const told: string[] = [];
  return {
    root,
    journal,
    told,
    app: 'ratings',
    env: { NPM_TOKEN: 'hunter2-hunter2' },
    host: { url, summarize: async (markdown: string) => void told.push(markdown) },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

test('tellRelease() leaves the picture in out/ and tells the host the same as text, with the way to it', async () => {
  await using at = await aHost('https://github.com/o/r/actions/runs/5');

  await tellRelease({ journal: at.journal, release: 7, environment: undefined }, at, signal());

  expect(await readFile(join(at.root, 'out/release-7.svg'), 'utf8')).toMatch(
    /^<svg [^>]*aria-label="Release 7: ROLLBACK after/,
  );
  const [summary = ''] = at.told;
  expect(summary).toMatch(/^\n## Release 7\n```text\nROLLBACK: worse than tolerated .*\n {2}requests failed /);
  expect(summary).toMatch(/worse than tolerated .*█ rolls back\n/);
  expect(summary).toContain(
    'As a picture: `out/release-7.svg` among the [artifacts of this run](https://github.com/o/r/actions/runs/5#artifacts).',
  );
  expect(summary).not.toMatch(/<svg|data:/);
});

test('tellRelease() keeps the pictures of environments apart, and names no page where there is none', async () => {
  await using at = await aHost(undefined);

  await tellRelease({ journal: at.journal, release: 7, environment: 'staging' }, at, signal());

  expect(await readdir(join(at.root, 'out'))).toEqual(['release-staging-7.svg']);
  expect(at.told[0]).toMatch(/## Release 7 in staging[\s\S]*As a picture: `out\/release-staging-7\.svg`\.\n$/);
});

test('tellRelease() has nothing to tell of a release that was not judged', async () => {
  await using at = await aHost(undefined);

  await tellRelease({ journal: at.journal, release: 8, environment: undefined }, at, signal());

  expect(at.told).toEqual([]);
  expect(await readdir(at.root)).toEqual(['journal']);
});

test('tellRelease() tells why a release did not come up: the reason, and the last lines as text without secrets', async () => {
  await using at = await aHost(undefined);
  const lines = ['Error: no table for hunter2-hunter2', '```', '# owned', '::error::owned'];
  await at.journal.write({ ...headFallenBy(lines), nextRelease: 8 }, undefined, signal());
  await rm(join(at.root, 'journal/evidence'), { recursive: true, force: true });

  await tellRelease({ journal: at.journal, release: 7, environment: undefined }, at, signal());

  expect(at.told).toHaveLength(1);
  const [reason = ''] = headFallenBy([]).history.map(({ text }) => text);
  expect(at.told[0]).toMatch(/^\n## Release 7\n/);
  expect(at.told[0]).toContain(
    `\n\`\`\`\`text\n${reason}\nError: no table for ***\n\`\`\`\n# owned\n::error::owned\n\`\`\`\`\n`,
  );
});
