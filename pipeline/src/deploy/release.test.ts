import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileJournal, parseSpec, templateOf } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { observeRelease } from './release.ts';
import { revise } from './revise.ts';

const parsed = parseSpec(readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8'), { file: 'x' });
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const { spec } = parsed;
const images = (letter: string) =>
  Object.fromEntries(
    Object.keys(spec.services).map((name) => [name, `registry:5000/${name}@sha256:${letter.repeat(64)}`]),
  );
const revisionOf = (letter: string) =>
  revise(spec, images(letter), undefined, { template: templateOf(spec), commit: undefined });

test.each([
  { what: 'live and at its end', asked: 'a', phase: 'promoted', seen: { kind: 'live' } },
  {
    what: 'live and still watched',
    asked: 'a',
    phase: 'watching',
    seen: { kind: 'absent', diff: 'see release 7 to its end' },
  },
  {
    what: 'another one',
    asked: 'b',
    phase: 'watching',
    seen: { kind: 'absent', diff: expect.stringMatching(/^release \w{8} in place of \w{8}$/) },
  },
])('observeRelease() of what is $what', async ({ asked, phase, seen }) => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-observe-'));
  const signal = AbortSignal.timeout(5_000);
  try {
    const { journal } = openFileJournal(folder);
    const revision = revisionOf('a');
    const release = { id: 7, revision, state: { phase: { kind: phase, since: 0 } } };
    const head = { app: spec.app, live: 'blue', lanes: { blue: revision, green: null }, release, history: [] };
    await journal.write(JSON.parse(JSON.stringify(head)), undefined, signal);

    const observed = await observeRelease(journal, { spec, root: folder, env: {} }, images(asked), signal);

    expect(observed).toMatchObject({ ...seen, revision: revisionOf(asked).id });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
