import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Hands, openFileJournal, parseSpec, type Spec, templateOf } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { headFallenBy } from '../report/fallen.rig.ts';
import { observeRelease, openReleaser } from './release.ts';
import type { Releaser } from './release-steps.ts';
import { revise } from './revise.ts';
import { wishIn } from './wish.rig.ts';

const parsed = parseSpec(readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8'), { file: 'x' });
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const { spec } = parsed;
const images = (letter: string) =>
  Object.fromEntries(
    Object.keys(spec.services).map((name) => [name, `registry:5000/${name}@sha256:${letter.repeat(64)}`]),
  );
const revisionOf = (letter: string) =>
  revise(spec, images(letter), undefined, { template: templateOf(spec), commit: undefined });

type Journal = ReturnType<typeof openFileJournal>['journal'];

/** Lane blue holds revision a, by release 7. */
async function withJournal(head: object, use: (journal: Journal, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-observe-'));
  try {
    const { journal } = openFileJournal(folder);
    const lanes = { blue: revisionOf('a'), green: null };
    const whole = { app: spec.app, live: 'blue', lanes, history: [], ...head };
    await journal.write(JSON.parse(JSON.stringify(whole)), undefined, signal());
    await use(journal, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const deaf = { log: () => {}, note: () => {}, gate: () => {} };
const signal = () => AbortSignal.timeout(5_000);
const change = { commit: undefined, branch: undefined, dirty: true, files: [], actor: 'kim@desk' };
const releaseOf = (phase: string) => ({
  id: 7,
  revision: revisionOf('a'),
  state: { phase: { kind: phase, since: 0 } },
});

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
  await withJournal({ release: releaseOf(phase) }, async (journal, root) => {
    const observed = await observeRelease(
      journal,
      { spec, root, env: {}, change },
      { images: images(asked), stage: 'release' },
      signal(),
    );

    expect(observed).toMatchObject({ ...seen, revision: revisionOf(asked).id });
  });
});

const rolling: Spec = { ...spec, release: { ...spec.release, strategy: 'rolling' } };

test.each([
  { what: 'live', asked: 'a', head: {}, seen: { kind: 'live' } },
  {
    what: 'another one',
    asked: 'b',
    head: {},
    seen: { kind: 'absent', diff: expect.stringMatching(/^roll \w{8} into lane blue in place of \w{8}$/) },
  },
  {
    what: 'the first one',
    asked: 'b',
    head: { live: undefined, lanes: {} },
    seen: { kind: 'absent', diff: expect.stringMatching(/^release \w{8} in place of nothing$/) },
  },
  ...['a', 'b'].map((asked) => ({
    what: `${asked} while live holds some of a and some of b`,
    asked,
    head: { rolling: { id: 8, revision: revisionOf('b') } },
    seen: { kind: 'absent', diff: 'see rolling update 8 to its end' },
  })),
])('observeRelease() of an app that rolls, asked for what is $what', async ({ asked, head, seen }) => {
  await withJournal({ release: releaseOf('promoted'), ...head }, async (journal, root) => {
    const observed = await observeRelease(
      journal,
      { spec: rolling, root, env: {}, change },
      { images: images(asked), stage: 'release' },
      signal(),
    );

    expect(observed).toMatchObject(seen);
  });
});

/** Without manifests: nothing is rendered. */
const onCluster = {
  ...rolling,
  services: Object.fromEntries(
    Object.entries(spec.services).map(([name, service]) => [name, { ...service, manifests: undefined }]),
  ),
  kubernetes: { namespace: 'ratings', driver: 'cli' },
} as unknown as Spec;

test('openReleaser() refuses to roll without Ansible before anything is on record', async () => {
  await withJournal({ release: releaseOf('promoted') }, async (journal, root) => {
    const before = await journal.read(signal());
    const hands = { ports: { journal }, spec: onCluster, actor: 'kim@desk', signal: signal() } as unknown as Hands;
    const releasing = { spec: onCluster, root, env: { PATH: '' }, options: [], change, reason: 'a merge' };
    const releaser = openReleaser(hands, { ...releasing, verifyKey: undefined, onEnd: () => {}, onBegun: undefined });

    const released = releaser.release(images('b'), deaf, signal());

    await expect(released).rejects.toMatchObject({ code: 'TOOL_MISSING' });
    expect(await journal.read(signal())).toEqual(before);
  });
});

test.each([
  { what: 'a commit is live and nobody says why', live: 'c'.repeat(40), reason: undefined, code: 'REFUSED' },
  { what: 'somebody says why', live: 'c'.repeat(40), reason: 'ticket 12', code: 'TOOL_MISSING' },
  { what: 'what is live has none either', live: undefined, reason: undefined, code: 'TOOL_MISSING' },
])('openReleaser() without a commit where $what ends with $code', async ({ live, reason, code }) => {
  const { commit: _, ...blue } = revisionOf('a');
  const lanes = { blue: { ...blue, commit: live }, green: null };
  await withJournal({ release: releaseOf('promoted'), lanes }, async (journal, root) => {
    const before = await journal.read(signal());
    const hands = { ports: { journal }, spec: onCluster, actor: 'kim@desk', signal: signal() } as unknown as Hands;
    const releasing = { spec: onCluster, root, env: { PATH: '' }, options: [], change, reason, verifyKey: undefined };
    const releaser = openReleaser(hands, { ...releasing, onEnd: () => {}, onBegun: undefined });

    await expect(releaser.release(images('b'), deaf, signal())).rejects.toMatchObject({ code });
    expect(await journal.read(signal())).toEqual(before);
  });
});

/** A releaser beside lee's driver, who is at a release of revision a. */
async function besideDriver(
  release: object,
  use: (releaser: Releaser, journal: Journal) => Promise<void>,
): Promise<void> {
  await withJournal({ release: { ...releaseOf('holding'), ...release }, fence: 3 }, async (journal, root) => {
    const { lock, wishes } = openFileJournal(root);
    const driver = await lock.acquire('lee@desk', signal());
    if (driver.kind !== 'held') throw new Error('nobody else drives');
    await using _ = driver.lease;
    const ports = { journal, lock, wishes };
    const hands = { ports, spec, actor: 'kim@desk', signal: signal() } as unknown as Hands;
    const releasing = { spec, root, env: {}, options: [], change, reason: 'a merge', verifyKey: undefined };
    await use(openReleaser(hands, { ...releasing, onEnd: () => {}, onBegun: undefined }), journal);
  });
}

test('openReleaser() fails as held once the deadline has passed, and leaves the release to whoever drives it', async () => {
  const plan = { atDeadline: 'hold', deadlineMs: 60_000 };
  await besideDriver({ plan, startedAt: Date.now() - plan.deadlineMs }, async (releaser, journal) => {
    const released = releaser.release(images('a'), deaf, signal());

    await expect(released).rejects.toMatchObject({
      code: 'HELD',
      message: expect.stringMatching(/^release 7 is held/),
    });
    expect(await journal.read(signal())).toMatchObject({
      head: { release: { state: { phase: { kind: 'holding' } } } },
    });
  });
});

test('openReleaser() fails with the reason once whoever drives has gone back, and logs what the instance said last', async () => {
  await besideDriver({ plan: {} }, async (releaser, journal) => {
    const stored = await journal.read(signal());
    const said: string[] = [];
    let ending: Promise<unknown> | undefined;
    const log = (line: string) => {
      said.push(line);
      if (/is running already$/.test(line))
        ending = journal.write(headFallenBy(['Error: no table', '    at main.js:3']), stored?.version, signal());
    };

    const released = releaser.release(images('a'), { ...deaf, log }, signal());

    await expect(released).rejects.toMatchObject({
      code: 'ROLLED_BACK',
      message: expect.stringMatching(/: the candidate does not start: proxy: crash: .* ended with exit code 1$/),
    });
    await ending;
    expect(said.slice(-2)).toEqual(['Error: no table', '    at main.js:3']);
  });
});

test('openReleaser() says it where somebody else has made this revision live meanwhile', async () => {
  await besideDriver({ revision: revisionOf('b') }, async (releaser) => {
    const notes: string[] = [];

    const released = await releaser.release(images('a'), { ...deaf, note: (line) => void notes.push(line) }, signal());

    expect([released, notes]).toEqual([{ kind: 'done' }, [`revision ${revisionOf('a').id.slice(0, 8)} is live`]]);
  });
});

test('openReleaser() has told of the release that it hands over before it ends, as a process that ends tells nothing more', async () => {
  await withJournal({ release: releaseOf('promoted') }, async (journal, root) => {
    const { wishes } = openFileJournal(root);
    const services = Object.entries(spec.services).map(([name, one]) => [name, { ...one, manifests: undefined }]);
    const kubernetes = { namespace: 'ratings', driver: 'controller' };
    const controlled = { ...spec, services: Object.fromEntries(services), kubernetes } as unknown as Spec;
    const hands = { ports: { journal, wishes }, spec: controlled, actor: 'kim@desk', signal: signal() };
    const told: number[] = [];
    const onBegun = async (release: number) => {
      await setImmediate();
      told.push(release);
    };
    const releasing = { spec: controlled, root, env: {}, options: [], change, reason: 'a merge', verifyKey: undefined };
    const releaser = openReleaser(hands as unknown as Hands, { ...releasing, onEnd: () => {}, onBegun });

    const released = releaser.release(images('b'), deaf, signal());
    const ordered = await wishIn(wishes);
    const stored = await journal.read(signal());
    const answers = [{ id: ordered, kind: 'begun', text: 'release 8', release: 8 }];
    await journal.write({ ...Object(stored?.head), answers }, stored?.version, signal());
    await released;

    expect(told).toEqual([8]);
  });
});
