import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { isUnfinished, readEntries } from '../journal/journal.ts';
import { type AppFolder, anApp, type Running } from './process.rig.ts';

/** Hosts kill 10 s after their first signal, and GitHub says SIGTERM after 7.5 s. */
const endMaxMs = 7_000;
const waitMaxMs = 20_000;

/**
 * A check that leaves nothing undone to stay: deaf to all that can be ignored, with children in its own process group and in
 * sessions of their own, which hold its output or have let go of it. Once it has the file `calm` it passes, and counts that.
 */
const stubborn = `#!/bin/bash
if [ -e "$HOME/calm" ]; then echo passed >>"$HOME/passed"; exit 0; fi
trap '' INT TERM HUP
stay='trap "" INT TERM HUP; echo $$ >"$HOME/pids/$0"; while :; do sleep 0.2; done'
bash -c "$stay" child &
bash -c "$stay" silent >/dev/null 2>&1 &
setsid bash -c "$stay" session &
setsid bash -c "$stay" silent-session >/dev/null 2>&1 &
(setsid bash -c "$stay" orphan >/dev/null 2>&1 &)
echo $$ >"$HOME/pids/check"
while :; do sleep 0.2; done
`;
const names = ['check', 'child', 'orphan', 'session', 'silent', 'silent-session'];

/** Whatever a test finds wrong, nothing of it stays on the machine. */
async function aStubbornApp(): Promise<AppFolder> {
  const app = await anApp(stubborn);
  const pids = join(app.home, 'pids');
  await mkdir(pids);
  return {
    ...app,
    async [Symbol.asyncDispose]() {
      const left = await Promise.all((await readdir(pids)).map((name) => readFile(join(pids, name), 'utf8')));
      for (const pid of await living(left.map(Number))) process.kill(pid, 'SIGKILL');
      await app[Symbol.asyncDispose]();
    },
  };
}

/** Once all of them live. */
async function pidsOf({ home }: AppFolder): Promise<readonly number[]> {
  return await until(async () => {
    const texts = names.map((name) => readFile(join(home, 'pids', name), 'utf8').catch(() => ''));
    const pids = (await Promise.all(texts)).map(Number).filter((pid) => pid > 0);
    return pids.length === names.length ? pids : undefined;
  }, 'the check and its children live');
}

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const end = performance.now() + waitMaxMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > end) throw new Error(`Cannot go on as it must be that ${what}`);
    await sleep(20);
  }
}

/** A zombie that nobody has waited for is as good as gone. */
async function living(pids: readonly number[]): Promise<readonly number[]> {
  const stats = await Promise.all(
    pids.map(async (pid) => ({ pid, stat: await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '') })),
  );
  return stats.filter(({ stat }) => stat !== '' && !/\) Z /.test(stat)).map(({ pid }) => pid);
}

async function journalOf({ root }: AppFolder) {
  const runs = join(root, '.headgate/runs');
  const [run = ''] = await readdir(runs);
  const path = join(runs, run, 'journal.jsonl');
  return readEntries(await readFile(path, 'utf8'), path);
}

async function stop(running: Running, send: (child: Running['child']) => Promise<void> | void) {
  const begun = performance.now();
  await send(running.child);
  const { code } = await running.ended;
  return { code, ms: performance.now() - begun };
}

/** SIGINT; SIGTERM after 7.5 s; the end after 10 s. https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation */
async function asGithubDoes(child: Running['child']): Promise<void> {
  child.kill('SIGINT');
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  for (const [afterMs, name] of [
    [7_500, 'SIGTERM'],
    [2_500, 'SIGKILL'],
  ] as const) {
    for (let waitedMs = 0; waitedMs < afterMs && !isOver(); waitedMs += 50) await sleep(50);
    if (!isOver()) child.kill(name);
  }
}

test.each([
  { how: 'SIGINT', send: (child: Running['child']) => void child.kill('SIGINT'), code: 130, reason: 'SIGINT' },
  { how: 'SIGTERM', send: (child: Running['child']) => void child.kill('SIGTERM'), code: 143, reason: 'SIGTERM' },
  { how: 'what GitHub sends', send: asGithubDoes, code: 130, reason: 'SIGINT' },
])(
  'headgate run ends at $how with $code within 7 s, leaves no process, and goes on the next time',
  async (one) => {
    await using app = await aStubbornApp();
    const first = app.start(['run', 'check'], { GITHUB_ACTIONS: 'true' });
    const pids = await pidsOf(app);

    const { code, ms } = await stop(first, one.send);

    expect(await living(pids)).toEqual([]);
    expect({ code, text: code === one.code ? '' : first.text() }).toEqual({ code: one.code, text: '' });
    expect(ms).toBeLessThan(endMaxMs);
    const journal = await journalOf(app);
    expect(journal).toContainEqual(expect.objectContaining({ kind: 'run.interrupted', reason: one.reason }));
    expect(journal.at(-1)).toMatchObject({ kind: 'run.end', outcome: 'interrupted' });
    expect(isUnfinished(journal)).toBe(false);

    await writeFile(join(app.home, 'calm'), '');
    const second = await app.start(['run', 'check']).ended;
    const third = await app.start(['run', 'check']).ended;

    expect([second.code, third.code]).toEqual([0, 0]);
    expect(await readFile(join(app.home, 'passed'), 'utf8')).toBe('passed\n'); // Once: what is finished is not repeated.
  },
  60_000,
);

test('a step that had ended when headgate run was told to stop is not repeated', async () => {
  await using app = await aStubbornApp();
  await writeFile(join(app.home, 'calm'), '');
  const env = { HEADGATE_REGISTRY: '127.0.0.1:1/none' };
  const first = app.start(['run', 'images'], env);
  await until(async () => (first.text().includes('✓ check') ? true : undefined), 'the check has passed');

  const { code } = await stop(first, (child) => void child.kill('SIGTERM'));
  const second = app.start(['run', 'check'], env);
  await second.ended;

  expect(code).toBe(143);
  expect(second.text()).toMatch(/^= check +cached/m);
  expect(await readFile(join(app.home, 'passed'), 'utf8')).toBe('passed\n');
}, 60_000);
