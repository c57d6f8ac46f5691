import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Hands, type Head, openFileJournal, parseSpec, templateOf } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { git } from '../host/git.rig.ts';
import { aBench } from '../pipeline.rig.ts';
import { step } from '../step.ts';
import type { publishStep } from './image-steps.ts';
import { observeRelease, openReleaser } from './release.ts';
import { type Releaser, releaseStep } from './release-steps.ts';
import { revise } from './revise.ts';
import { wishIn } from './wish.rig.ts';

const parsed = parseSpec('app: shop\nservices: { web: { source: web, port: 80 } }', { file: 'x' });
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const { spec } = parsed;
const images = (letter: string) => ({ web: `registry:5000/web@sha256:${letter.repeat(64)}` });
const revisionOf = (letter: string, commit?: string) =>
  revise(spec, images(letter), undefined, { template: templateOf(spec), commit });
const signal = () => AbortSignal.timeout(10_000);

/** Two merges, the first of which made revision a and the second b, which is live in staging. */
async function twoMerges(history: readonly Partial<Head['history'][number]>[], quarantined: readonly object[] = []) {
  const bench = await aBench();
  const { root } = bench;
  await git(root, 'init', '--quiet');
  const merge = async () => {
    await git(root, 'commit', '--quiet', '--allow-empty', '--message=a merge');
    return git(root, 'rev-parse', 'HEAD');
  };
  const [first, second, third] = [await merge(), await merge(), await merge()];
  const folder = join(root, 'staging');
  await mkdir(folder);
  const { journal } = openFileJournal(folder);
  const lanes = { blue: revisionOf('b', second), green: null };
  const head = { app: spec.app, live: 'blue', lanes, history, quarantined };
  await journal.write(JSON.parse(JSON.stringify(head)), undefined, signal());
  const changeOf = (commit: string | undefined) => ({ commit, branch: 'main', dirty: false, files: [], actor: 'kim' });
  return { bench, root, journal, first, third, changeOf, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
}

const a = revisionOf('a').id;
const promoted = { id: 3, revision: a, outcome: 'promoted' } as const;
const next = { id: 4, revision: revisionOf('b').id, outcome: 'promoted' } as const;

test.each([
  { what: 'a later commit is live there', history: [promoted, next], staging: 'passed' },
  { what: 'it never got there', history: [next], staging: 'absent' },
  { what: 'it was rolled back', history: [{ ...promoted, outcome: 'rolledBack' as const }, next], staging: 'absent' },
  {
    what: 'it was rolled back after it had been promoted once',
    history: [promoted, { ...promoted, id: 4, outcome: 'rolledBack' as const }, { ...next, id: 5 }],
    staging: 'absent',
  },
  {
    what: 'a person went back from it after keepWarm',
    history: [promoted, next],
    quarantined: [{ revision: a, release: 5, text: 'slow' }],
    staging: 'absent',
  },
  {
    what: 'a person insisted on it, and it was promoted',
    history: [
      { ...promoted, id: 6 },
      { ...next, id: 7 },
    ],
    quarantined: [{ revision: a, release: 5, text: 'slow' }],
    staging: 'passed',
  },
  { what: 'the same revision is that of a revert', by: 'third', history: [promoted, next], staging: 'absent' },
  { what: 'nobody knows which commit is later', by: 'none', history: [promoted, next], staging: 'absent' },
] as const)(
  'a revision that was in staging is seen there as $staging, and not in production: $what',
  async (played) => {
    await using merges = await twoMerges(played.history, 'quarantined' in played ? played.quarantined : []);
    const { root, journal, first, third, changeOf } = merges;
    const by = 'by' in played ? { third, none: undefined }[played.by] : first;
    const seen = (stage: 'staging' | 'release') =>
      observeRelease(journal, { spec, root, env: {}, change: changeOf(by) }, { images: images('a'), stage }, signal());

    expect(await seen('staging')).toMatchObject({ kind: played.staging, revision: a });
    expect(await seen('release')).toMatchObject({ kind: 'absent', revision: a });
  },
);

/** Publishes revision a, then releases it by `staging`, and by one that tells what reached production. */
function delivery(staging: Releaser) {
  const released: string[] = [];
  const production: Releaser = {
    observe: async (_, stage) => {
      const revision = a;
      if (stage !== 'release') throw new Error(`asked about ${stage}`);
      return released.length > 0 ? { kind: 'live', revision } : { kind: 'absent', revision, diff: 'release it' };
    },
    release: async ({ web }) => {
      released.push(String(web));
      return { kind: 'done' };
    },
  };
  const outputs = { values: { parse: (value: unknown) => value as ReturnType<typeof images> } };
  const published = step('publish', { kind: 'pure', outputs, run: async () => images('a') });
  const publish = published as unknown as ReturnType<typeof publishStep>;
  const before = releaseStep('staging', { publish, releaser: staging, after: [] });
  const release = releaseStep('release', { publish, releaser: production, after: [before] });
  return { steps: [published, before, release], released };
}

test('the first of two merges goes on to its release after the second has entered staging', async () => {
  await using merges = await twoMerges([promoted, next]);
  const { bench, root, journal, first, changeOf } = merges;
  const change = changeOf(first);
  const hands = { ports: { journal }, spec, actor: 'kim', signal: signal() } as unknown as Hands;
  const releasing = { spec, root, env: {}, options: [], change, reason: 'a merge', verifyKey: undefined };
  const { steps, released } = delivery(openReleaser(hands, { ...releasing, onEnd: () => {}, onBegun: undefined }));

  const result = await bench.run(steps, { change });

  expect(result.exitCode).toBe(0);
  expect(released).toEqual([images('a').web]);
});

test('the first of two merges that wait in staging was never there, goes no further, and says so', async () => {
  await using merges = await twoMerges([next]);
  const { bench, root, journal, third, changeOf } = merges;
  const { lock, wishes } = openFileJournal(join(root, 'staging'));
  const driver = await lock.acquire('lee', signal());
  if (driver.kind !== 'held') throw new Error('nobody else drives');
  await using _ = driver.lease;
  const change = changeOf(third);
  const hands = { ports: { journal, lock, wishes }, spec, actor: 'kim', signal: signal() } as unknown as Hands;
  const releasing = { spec, root, env: {}, options: [], change, reason: 'a merge', verifyKey: undefined };
  const { steps, released } = delivery(openReleaser(hands, { ...releasing, onEnd: () => {}, onBegun: undefined }));

  const running = bench.run(steps, { change });
  const order = await wishIn(wishes);
  const stored = await journal.read(signal());
  const answers = [{ id: order, kind: 'superseded', text: 'superseded by commit 4d4d4d4d, which waits in its place' }];
  await journal.write({ ...Object(stored?.head), answers }, stored?.version, signal());
  const result = await running;

  expect(result).toMatchObject({ exitCode: 0, outcome: 'done' });
  expect(released).toEqual([]);
  expect(result.of('step.skip').map((event) => [event.step, event.why])).toEqual([
    ['staging', 'superseded by commit 4d4d4d4d, which waits in its place'],
    ['release', 'needs staging, which was skipped: superseded by commit 4d4d4d4d, which waits in its place'],
  ]);
});
