import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSpec, type Records } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { openPlainGuard } from '../host/guard.ts';
import { type CommitStatus, openHost } from '../host/host.ts';
import { recordReporter } from '../report/record.ts';
import { aRun, play } from '../report/run.rig.ts';
import type { RunResult } from '../run.ts';
import { type EndedRun, tellBegun, tellRun } from './told-run.ts';

/** What journals and listeners may take by design. Hosts kill 10 s after their first signal, of which the steps of the run may have taken 3 s to stop. */
const tellMaxMs = 3_000;
const moreMaxMs = 1_000;

const spec = parseSpec('app: shop\nservices:\n  web: { source: services/web, port: 8080 }\n', {
  file: 'headgate.yaml',
});

/** Waits as long as it may for an answer that does not come. */
async function hang(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
}

const interrupted: RunResult = { run: 'abc', outcome: 'interrupted', exitCode: 130, steps: {} };

/** A run that ended, by default interrupted, after its release into staging had, on a host beside a cluster; neither answers any more. */
async function aTeller(result = interrupted) {
  const root = await mkdtemp(join(tmpdir(), 'headgate-told-'));
  const told = new AbortController();
  const marks: CommitStatus[] = [];
  const asked = new AbortController();
  const heard = once(asked.signal, 'abort');
  const read = (signal: AbortSignal) => {
    asked.abort();
    return hang(signal);
  };
  const refuse = () => Promise.reject(new Error('This reads, and nothing else'));
  const journal: Records['journal'] = {
    read,
    readEvidence: (_, signal) => read(signal),
    write: refuse,
    appendEvidence: refuse,
  };
  if (spec.kind === 'issues') throw new Error('Cannot go on as the app must be sound');
  const shell = {
    out: () => {},
    err: () => {},
    env: {},
    cwd: root,
    isTerminal: false,
    user: 'kim@desk',
    person: 'kim',
  };
  const guard = openPlainGuard(() => {});
  const host = await openHost({ root, env: {}, write: () => {}, guard, isTerminal: false });
  let record: EndedRun['record'];
  play(
    recordReporter((whole) => {
      record = whole;
    }),
    aRun(),
  );
  const run = { target: 'perf', what: 'perf', record, begun: undefined } as const;
  const ended = ['staging', 'other'].map((environment) => ({ journal, release: 7, environment }));
  const mark = (status: CommitStatus, signal: AbortSignal) => {
    marks.push(status);
    return hang(signal);
  };
  const teller = {
    app: { spec: spec.spec, folder: root, state: root, options: [] },
    host: { ...host, mark },
    shell: { ...shell, guard, signal: told.signal },
  };
  return {
    told,
    marks,
    asked: heard,
    outputs: async () => JSON.parse(await readFile(join(root, 'out/outputs.json'), 'utf8')),
    tellBegun: (release: number) => tellBegun(release, teller),
    tell: (begun?: number) => tellRun({ ...run, result, ended, begun }, teller),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

test.each([
  { when: 'before it tells', early: true },
  { when: 'while it tells', early: false },
])(
  'tellRun() tells values and the commit in time when the run is told to go $when and its cluster hangs',
  async (one) => {
    await using teller = await aTeller();
    if (one.early) teller.told.abort();
    const telling = teller.tell();
    await teller.asked;
    if (!one.early) teller.told.abort();
    const timer = sleep(tellMaxMs).then(() => performance.now()); // A machine that pauses delays both.

    const told = await telling.then(() => performance.now());

    expect(told - (await timer)).toBeLessThan(moreMaxMs);
    expect(await teller.outputs()).toEqual({ run: 'abc', target: 'perf', outcome: 'interrupted', 'exit-code': '130' });
    expect(teller.marks).toEqual([expect.objectContaining({ context: 'headgate/perf', state: 'error' })]);
  },
  60_000,
);

test('tellRun() tells jobs that follow that a run was superseded, although it is a success', async () => {
  const steps = { staging: { kind: 'skipped', why: 'superseded by commit 4d4d4d4d' } } as const;
  await using teller = await aTeller({ run: 'abc', outcome: 'done', exitCode: 0, steps });
  teller.told.abort(); // Nothing else is waited for.

  await teller.tell();

  expect(await teller.outputs()).toMatchObject({ outcome: 'superseded', 'exit-code': '0' });
}, 60_000);

test('tellRun() tells jobs that follow of the release that is handed over, whether or not they heard of it before', async () => {
  await using teller = await aTeller();
  teller.told.abort(); // Nothing else is waited for.

  await teller.tell(8);

  expect(await teller.outputs()).toMatchObject({ release: '8', outcome: 'interrupted' });
}, 60_000);

test('tellBegun() leaves a release to jobs that follow before its run has told how it ended', async () => {
  await using teller = await aTeller();

  await teller.tellBegun(8);

  expect(await teller.outputs()).toEqual({ release: '8' });
});
