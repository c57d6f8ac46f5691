import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { aBench } from './pipeline.rig.ts';
import { record, text } from './plan/schema.ts';
import { type Step, step } from './step.ts';

/** A pure step that notes when it runs. */
function pure(
  id: string,
  notes: string[],
  needs: readonly Step[] = [],
  work: () => Promise<void> = async () => {},
): Step {
  return step(id, {
    kind: 'pure',
    needs,
    run: async () => {
      notes.push(`+${id}`);
      await work();
      notes.push(`-${id}`);
    },
  });
}

function failing(id: string, error: Error, needs: readonly Step[] = []): Step {
  return step(id, {
    kind: 'effect',
    needs,
    observe: () => ({ kind: 'absent', diff: id }),
    run: () => {
      throw error;
    },
  });
}

/** Resolves when it is told to. */
function latch(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const kinds = (steps: Readonly<Record<string, { readonly kind: string }>>) =>
  Object.fromEntries(Object.entries(steps).map(([id, { kind }]) => [id, kind]));

describe('run()', () => {
  test('runs each step after what it needs, and hands over values', async () => {
    await using bench = await aBench({ 'in.txt': 'hello' });
    const read = step('read', {
      kind: 'pure',
      inputs: { files: ['in.txt'] },
      outputs: { values: record({ words: text }) },
      run: async ({ root }) => ({ words: await readFile(join(root, 'in.txt'), 'utf8') }),
    });
    let got = '';
    const say = step('say', {
      kind: 'effect',
      needs: [read],
      observe: ({ out }) => ({ kind: 'absent', diff: `say ${out.read.words}` }),
      run: ({ out, observed }) => {
        got = `${out.read.words} (${observed.diff})`;
      },
    });

    const { outcome, exitCode, steps } = await bench.run([say, read]);

    expect([outcome, exitCode, got]).toEqual(['done', 0, 'hello (say hello)']);
    expect(Object.keys(steps)).toEqual(['read', 'say']);
  });

  describe('of a part of a pipeline', () => {
    /** read -> publish -> release, and notes beside them. */
    const parts = () => {
      const notes: string[] = [];
      const world = { published: false, released: '' };
      const read = step('read', {
        kind: 'pure',
        inputs: { files: ['in.txt'] },
        outputs: { files: ['out/read.txt'], values: record({ words: text }) },
        run: async ({ root }) => {
          notes.push('read');
          const words = await readFile(join(root, 'in.txt'), 'utf8');
          await mkdir(join(root, 'out'), { recursive: true });
          await writeFile(join(root, 'out/read.txt'), words);
          return { words };
        },
      });
      const publish = step('publish', {
        kind: 'effect',
        needs: [read],
        outputs: { values: record({ words: text }) },
        observe: ({ out }) =>
          world.published ? { kind: 'done', values: out.read } : { kind: 'absent', diff: `publish ${out.read.words}` },
        run: ({ out }) => {
          notes.push('publish');
          world.published = true;
          return out.read;
        },
      });
      const release = step('release', {
        kind: 'effect',
        needs: [publish],
        observe: ({ out }) => ({ kind: 'absent', diff: `release ${out.publish.words}` }),
        run: ({ out }) => {
          notes.push('release');
          world.released = out.publish.words;
        },
      });
      return { steps: [read, publish, release, pure('aside', notes)] as readonly Step[], notes, world };
    };

    test('only: does one step alone, with what its needs left', async () => {
      await using bench = await aBench({ 'in.txt': 'one' });
      const { steps, notes, world } = parts();
      await bench.run(steps, { targets: ['publish'] });
      await rm(join(bench.root, 'out/read.txt'));
      notes.length = 0;

      const planned = await bench.plan(steps, { only: 'release' });
      const result = await bench.run(steps, { only: 'release' });

      expect(planned.map(({ step: id, kind }) => `${id} ${kind}`)).toEqual([
        'read cached',
        'publish nothing-to-do',
        'release would-act',
      ]);
      expect([result.exitCode, notes, world.released]).toEqual([0, ['release'], 'one']);
      expect(kinds(result.steps)).toEqual({ read: 'cached', publish: 'done', release: 'done' });
      expect(await readFile(join(bench.root, 'out/read.txt'), 'utf8')).toBe('one');
    });

    test.each([
      { left: 'nothing', first: [], lacks: 'read', would: 'run: never run' },
      { left: 'a result that is none of these sources', first: ['publish'], lacks: 'read', would: 'run: file in.txt' },
      { left: 'no effect', first: ['read'], lacks: 'publish', would: 'publish one' },
    ])(
      'only: and from: are refused by name where a need has left $left, and do nothing',
      async ({ first, lacks, would }) => {
        await using bench = await aBench({ 'in.txt': 'one' });
        const { steps, notes } = parts();
        if (first.length > 0) await bench.run(steps, { targets: first });
        if (would.includes('file')) await bench.write({ 'in.txt': 'two' });
        notes.length = 0;

        for (const part of [{ only: 'release' }, { from: 'release', targets: ['release'] }]) {
          const planned = await bench.plan(steps, part);
          const { exitCode, of } = await bench.run(steps, part);

          expect(planned.find(({ kind }) => kind === 'missing')).toEqual({ step: lacks, kind: 'missing', why: would });
          expect([exitCode, of('step.fail').map(({ failure }) => failure.message)]).toEqual([
            12,
            [`Cannot take what "${lacks}" left as there is nothing: it would ${would}`],
          ]);
          expect([notes, of('intent')]).toEqual([[], []]);
        }
      },
    );

    test('from: leaves what comes before alone, and does the rest', async () => {
      await using bench = await aBench({ 'in.txt': 'one' });
      const { steps, notes } = parts();
      await bench.run(steps, { targets: ['read'] });
      notes.length = 0;

      const { exitCode } = await bench.run(steps, { from: 'publish' });

      expect([exitCode, notes.filter((note) => !/aside/.test(note))]).toEqual([0, ['publish', 'release']]);
      expect(notes).toContain('+aside');
    });

    test('resume: false does the one step anew, and still takes what its needs left', async () => {
      await using bench = await aBench({ 'in.txt': 'one' });
      const { steps, notes } = parts();
      await bench.run(steps);
      notes.length = 0;

      await bench.run(steps, { only: 'release', resume: false });
      await bench.run(steps, { only: 'read', resume: false });

      expect(notes).toEqual(['release', 'read']);
    });

    test.each([
      { part: { from: 'read', only: 'release' }, says: 'must not also go from "read"' },
      { part: { only: 'nothing' }, says: 'current value is "nothing"' },
      { part: { from: 'release', targets: ['publish'] }, says: 'current value is "release"' },
    ])('$part is refused', async ({ part, says }) => {
      await using bench = await aBench({ 'in.txt': 'one' });

      await expect(bench.run(parts().steps, part)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(says),
      });
      await expect(bench.plan(parts().steps, part)).rejects.toMatchObject({ code: 'USAGE' });
    });
  });

  test('runs no more steps at a time than it may, and as many', async () => {
    await using bench = await aBench();
    const two = latch();
    let now = 0;
    let most = 0;
    const notes: string[] = [];
    const steps = [1, 2, 3, 4, 5, 6].map((n) =>
      pure(`s${n}`, notes, [], async () => {
        most = Math.max(most, ++now);
        if (now === 2) two.open();
        await two.opened; // The first waits for a second beside it.
        now--;
      }),
    );

    await bench.run(steps, { concurrency: 2 });

    expect(most).toBe(2);
    expect(notes).toHaveLength(12);
  });

  test('brings along what a target needs, and nothing more', async () => {
    await using bench = await aBench();
    const notes: string[] = [];
    const a = pure('a', notes);
    const b = pure('b', notes, [a]);

    await bench.run([a, b, pure('c', notes)], { targets: ['b'] });

    expect(notes).toEqual(['+a', '-a', '+b', '-b']);
  });

  test.each([
    { keepGoing: false, other: 'unstarted' },
    { keepGoing: true, other: 'done' },
  ])(
    'a failure with keepGoing $keepGoing: what needs it never starts, the rest is $other',
    async ({ keepGoing, other }) => {
      await using bench = await aBench();
      const notes: string[] = [];
      const bad = failing('bad', new Error('out of paint'));
      const steps = [bad, pure('dependant', notes, [bad]), pure('other', notes)];

      const { outcome, exitCode, steps: results } = await bench.run(steps, { keepGoing, concurrency: 1 });

      expect([outcome, exitCode]).toEqual(['failed', 1]);
      expect(kinds(results)).toEqual({ bad: 'failed', dependant: 'unstarted', other });
    },
  );

  test('exits as the error of the step that failed first in order says', async () => {
    await using bench = await aBench();
    const held = new HeadgateError('LOCK_HELD', 'Cannot act as kim drives', { hint: 'wait' });

    const { exitCode, steps, of } = await bench.run([failing('bad', held)]);

    expect(exitCode).toBe(75);
    expect(steps['bad']).toEqual({
      kind: 'failed',
      failure: { class: 'LOCK_HELD', message: 'Cannot act as kim drives', hint: 'wait', exitCode: 75 },
    });
    expect(of('step.fail')[0]?.tail).toEqual(['Cannot act as kim drives', 'wait']);
  });

  test('a step that passes later is told as flaky, with how often it was tried', async () => {
    await using bench = await aBench();
    let tries = 0;
    const flaky = step('flaky', {
      kind: 'pure',
      retry: { times: 3, on: (error) => error instanceof Error && error.message === 'again', pauseMs: 1 },
      run: () => {
        if (++tries < 3) throw new Error('again');
      },
    });

    const { outcome, of, steps } = await bench.run([flaky]);

    expect(outcome).toBe('done');
    expect(of('step.retry')).toHaveLength(2);
    expect(of('step.done')[0]).toMatchObject({ step: 'flaky', attempts: 3 });
    expect(steps['flaky']).toMatchObject({ kind: 'done', attempts: 3 });
  });

  test('retries nothing that it is not told to', async () => {
    await using bench = await aBench();
    let tries = 0;
    const bad = step('bad', {
      kind: 'pure',
      retry: { times: 3, on: () => false },
      run: () => {
        tries++;
        throw new Error('no');
      },
    });

    await bench.run([bad]);

    expect(tries).toBe(1);
  });

  test('pauses longer before each further attempt, and not once it is told to stop', async () => {
    await using bench = await aBench();
    const begun: number[] = [];
    const away = step('away', {
      kind: 'pure',
      retry: { times: 3, on: () => true, pauseMs: 200 },
      run: () => {
        begun.push(performance.now());
        throw new Error('away');
      },
    });
    const patient = step('patient', {
      kind: 'pure',
      retry: { times: 2, on: () => true, pauseMs: 60_000 },
      run: () => Promise.reject(new Error('away')),
    });
    const stop = new AbortController();
    const stopAtRetry = {
      on: ({ kind }: { readonly kind: string }) => void (kind === 'step.retry' && stop.abort(new Error('SIGTERM'))),
      close: () => {},
    };

    await bench.run([away]);
    const stopped = await bench.run([patient], { signal: stop.signal, reporters: [stopAtRetry] });

    const [first = 0, second = 0, third = 0] = begun;
    expect(second - first).toBeGreaterThanOrEqual(199);
    expect(third - second).toBeGreaterThanOrEqual(399);
    expect(stopped.steps['patient']).toEqual({ kind: 'interrupted' });
  });

  test('a step that cannot be stopped is not tried again beside itself', async () => {
    await using bench = await aBench();
    let running = 0;
    const deaf = step('deaf', {
      kind: 'pure',
      timeoutMs: 50,
      retry: { times: 3, on: () => true, pauseMs: 1 },
      run: () => {
        running += 1;
        return new Promise(() => {});
      },
    });

    const { steps } = await bench.run([deaf]);

    expect(running).toBe(1);
    expect(steps['deaf']).toMatchObject({
      failure: { class: 'STUCK', message: 'Cannot stop deaf as it must end within 5.0 s after it is told to' },
    });
  });

  test('a step whose time has no end may take any', async () => {
    await using bench = await aBench();
    const patient = step('patient', {
      kind: 'pure',
      timeoutMs: Number.POSITIVE_INFINITY,
      run: async () => void (await sleep(100)),
    });

    const { steps } = await bench.run([patient]);

    expect(steps['patient']).toMatchObject({ kind: 'done' });
  });

  test('a step that takes too long fails as TIMEOUT, and its processes end', async () => {
    await using bench = await aBench();
    const slow = step('slow', {
      kind: 'pure',
      timeoutMs: 2_000,
      run: async ({ $, root }) => {
        await $`sleep 60 & echo $! > ${join(root, 'pid')}; wait`;
      },
    });

    const { steps } = await bench.run([slow]);

    expect(steps['slow']).toMatchObject({ kind: 'failed', failure: { class: 'TIMEOUT' } });
    await gone(Number(await readFile(join(bench.root, 'pid'), 'utf8')));
  });

  test('a command that fails is a failure of class COMMAND, with its last lines', async () => {
    await using bench = await aBench();
    const bad = step('bad', {
      kind: 'pure',
      run: async ({ $ }) => {
        await $`echo one; echo two >&2; exit 3`;
      },
    });

    const { of } = await bench.run([bad]);

    expect(of('step.fail')[0]?.failure).toMatchObject({
      class: 'COMMAND',
      message: 'a command ended with exit code 3',
    });
    expect(of('step.fail')[0]?.tail).toEqual(expect.arrayContaining(['one', 'two']));
  });

  test('values that differ from what a step declares fail it', async () => {
    await using bench = await aBench();
    const wrong = step('wrong', {
      kind: 'pure',
      outputs: { values: record({ words: text }) },
      run: () => ({ words: 7 }) as unknown as { words: string },
    });
    const missing = step('missing', { kind: 'pure', outputs: { files: ['out/x'] }, run: () => {} });

    const { steps } = await bench.run([wrong, missing], { keepGoing: true });

    expect(steps['wrong']).toMatchObject({ kind: 'failed', failure: { class: 'OUTPUTS' } });
    expect(steps['missing']).toMatchObject({ kind: 'failed', failure: { class: 'OUTPUTS' } });
  });

  test('when() skips a step and all that need it, with the reason', async () => {
    await using bench = await aBench();
    const notes: string[] = [];
    const skipped = step('skipped', { kind: 'pure', when: () => 'nobody asked', run: () => {} });

    const { outcome, of } = await bench.run([skipped, pure('later', notes, [skipped])]);

    expect(outcome).toBe('done');
    expect(of('step.skip').map(({ why }) => why)).toEqual([
      'nobody asked',
      'needs skipped, which was skipped: nobody asked',
    ]);
  });

  test('a broken reporter is left out, and the run goes on', async () => {
    await using bench = await aBench();
    let calls = 0;
    const broken = {
      on: () => {
        calls++;
        throw new Error('no screen');
      },
      close: () => {},
    };

    const { outcome, of } = await bench.run([pure('a', [])], { reporters: [broken] });

    expect([outcome, calls]).toEqual(['done', 1]);
    expect(of('warning')[0]?.message).toContain('no screen');
  });
});

describe('run() and its cache', () => {
  const build = (runs: string[]) =>
    step('build', {
      kind: 'pure',
      inputs: { files: ['src/**'] },
      outputs: { files: ['out/built'], values: record({ words: text }) },
      run: async ({ root, log }) => {
        runs.push('build');
        log('building');
        const words = await readFile(join(root, 'src/a'), 'utf8');
        await writeFile(join(root, 'out/built'), words);
        return { words };
      },
    });

  test('takes an equal step from it, files and log included, and runs a changed one', async () => {
    const runs: string[] = [];
    await using bench = await aBench({ 'src/a': 'one' });

    await bench.run([build(runs)]);
    await writeFile(join(bench.root, 'out/built'), 'spoiled');
    const second = await bench.run([build(runs)]);
    const restored = await readFile(join(bench.root, 'out/built'), 'utf8');
    await bench.write({ 'src/a': 'two' });
    const third = await bench.run([build(runs)]);

    expect(runs).toHaveLength(2);
    expect(second.steps['build']).toMatchObject({ kind: 'cached', values: { words: 'one' } });
    expect(restored).toBe('one');
    expect(await readFile(join(bench.root, 'out/logs/build.log'), 'utf8')).toBe('building\n');
    expect(third.steps['build']).toMatchObject({ kind: 'done', values: { words: 'two' } });
  });

  test('resume: false executes everything anew', async () => {
    const runs: string[] = [];
    await using bench = await aBench({ 'src/a': 'one' });

    await bench.run([build(runs)]);
    await bench.run([build(runs)], { resume: false });

    expect(runs).toHaveLength(2);
  });

  test('a step that needs one whose output is the same is not run again', async () => {
    const runs: string[] = [];
    await using bench = await aBench({ 'src/a': 'one\n' });
    const lines = step('lines', {
      kind: 'pure',
      inputs: { files: ['src/**'] },
      outputs: { values: record({ words: text }) },
      run: async ({ root }) => {
        runs.push('lines');
        return { words: (await readFile(join(root, 'src/a'), 'utf8')).trim() };
      },
    });
    const next = step('next', { kind: 'pure', needs: [lines], run: () => void runs.push('next') });

    await bench.run([lines, next]);
    await bench.write({ 'src/a': 'one\n\n' });
    await bench.run([lines, next]);

    expect(runs).toEqual(['lines', 'next', 'lines']);
  });

  test('a step is not run again as a need that gives nothing, new or known, comes before it', async () => {
    const runs: string[] = [];
    await using bench = await aBench();
    const check = step('check', { kind: 'pure', run: () => void runs.push('check') });
    const made = (needs: readonly Step[]) => step('made', { kind: 'pure', needs, run: () => void runs.push('made') });

    await bench.run([made([])]);
    await bench.run([check, made([check])]);
    await bench.run([check, made([check])]);

    expect(runs).toEqual(['made', 'check']);
  });

  test('keeps no result whose inputs changed while the step ran', async () => {
    await using bench = await aBench({ 'src/a': 'one' });
    let runs = 0;
    const racing = step('racing', {
      kind: 'pure',
      inputs: { files: ['src/**'] },
      run: async ({ root }) => {
        if (++runs === 1) await appendFile(join(root, 'src/a'), ', changed');
      },
    });

    const first = await bench.run([racing]);
    await bench.write({ 'src/a': 'one' });
    await bench.run([racing]);

    expect(first.of('warning')[0]?.message).toContain('its inputs changed while it ran');
    expect(runs).toBe(2);
  });

  test('a cache that cannot be used costs a warning, not the run', async () => {
    await using bench = await aBench({ 'src/a': 'one' });
    const broken = {
      where: 'nowhere',
      find: () => Promise.reject(new Error('no disk')),
      latest: () => Promise.reject(new Error('no disk')),
      restore: () => Promise.reject(new Error('no disk')),
      keep: () => Promise.reject(new Error('no disk')),
    };

    const { outcome, of } = await bench.run([build([])], { cache: broken });

    expect(outcome).toBe('done');
    expect(of('warning').map(({ message }) => message)).toEqual([
      'the cache could not be read: Error: no disk',
      'the cache could not be written: Error: no disk',
    ]);
  });

  test('what is cached tells again what it had to pass, and on which page it ran', async () => {
    await using bench = await aBench();
    const gate = { name: 'p99', outcome: 'passed', text: '12 of 400 ms' } as const;
    const measured = step('perf', { kind: 'pure', run: async (context) => context.gate(gate) });
    const url = 'https://ci.example/runs/7';

    const first = await bench.run([measured], { url });
    const second = await bench.run([measured], { url: 'https://ci.example/runs/8' });

    expect(first.of('gate')).toMatchObject([{ step: 'perf', gate }]);
    expect(second.of('gate')).toMatchObject([{ step: 'perf', gate }]);
    expect(second.of('step.cached')).toMatchObject([{ original: { url } }]);
  });

  test('a result that is damaged costs a warning and the step, once', async () => {
    const runs: string[] = [];
    await using bench = await aBench({ 'src/a': 'one' });
    await bench.run([build(runs)]);
    const folder = join(bench.root, '.headgate/cache/steps/build');
    const [name = ''] = await readdir(folder);
    await writeFile(join(folder, name), '{"key":"torn');

    const second = await bench.run([build(runs)]);
    const third = await bench.run([build(runs)]);

    expect(second.of('warning')[0]?.message).toMatch(/the cache could not be read: .*json is damaged/);
    expect(kinds(second.steps)).toEqual({ build: 'done' });
    expect(kinds(third.steps)).toEqual({ build: 'cached' });
  });

  test('an undeclared variable is invisible to a pure step', async () => {
    await using bench = await aBench();
    let seen: unknown;
    const look = step('look', {
      kind: 'pure',
      inputs: { env: ['TOLD'] },
      run: ({ env }) => {
        seen = [env['TOLD'], env['UNTOLD']];
      },
    });

    await bench.run([look], { env: { PATH: process.env['PATH'], TOLD: 'a', UNTOLD: 'b' } });

    expect(seen).toEqual(['a', undefined]);
  });
});

describe('run() and effects', () => {
  test('looks before it acts, and does nothing twice', async () => {
    await using bench = await aBench();
    let there = false;
    let acts = 0;
    const push = step('push', {
      kind: 'effect',
      outputs: { values: record({ at: text }) },
      observe: () => (there ? { kind: 'done', values: { at: 'registry' } } : { kind: 'absent', diff: 'push it' }),
      run: () => {
        acts++;
        there = true;
        return { at: 'registry' };
      },
    });

    const first = await bench.run([push]);
    const second = await bench.run([push]);

    expect(first.of('intent')).toMatchObject([{ what: 'push it' }]);
    expect(second.of('intent')).toEqual([]);
    expect(second.steps['push']).toMatchObject({ kind: 'done', acted: false, values: { at: 'registry' } });
    expect(acts).toBe(1);
  });

  test('the intent is on disk before the act, so that a run killed in the middle is gone on with by looking', async () => {
    await using bench = await aBench();
    const seen: string[] = [];
    let there = false;
    const push = step('push', {
      kind: 'effect',
      observe: () => {
        seen.push('look');
        return there ? { kind: 'done', values: undefined } : { kind: 'absent', diff: 'push it' };
      },
      run: async () => {
        seen.push('act');
        there = true;
      },
    });
    const first = await bench.run([push]);
    const path = join(bench.root, '.headgate/runs', first.run, 'journal.jsonl');
    // As a kill between act and record leaves it: the intent stands there, and half of a line.
    const lines = (await readFile(path, 'utf8')).split('\n');
    const intent = lines.findIndex((line) => line.includes('"intent"'));
    await writeFile(path, `${lines.slice(0, intent + 1).join('\n')}\n${lines[intent + 1]?.slice(0, 20)}`);

    const second = await bench.run([push]);

    expect(second.run).toBe(first.run);
    expect(second.of('run.start')[0]?.resumed).toBe(true);
    expect(seen).toEqual(['look', 'act', 'look']);
    expect(second.steps['push']).toMatchObject({ kind: 'done', acted: false });
  });

  test('a secret is handed out by name, hidden everywhere, and no value may hold it', async () => {
    await using bench = await aBench();
    const secrets = { TOKEN: 'open-sesame-7' };
    const login = step('login', {
      kind: 'effect',
      outputs: { values: record({ url: text }) },
      observe: () => ({ kind: 'absent', diff: 'log in' }),
      run: ({ secret, log }) => {
        log(`with ${secret('TOKEN')}`);
        return { url: `https://${secret('TOKEN')}@host` };
      },
    });

    const { steps, events, run: id } = await bench.run([login], { secrets });

    expect(steps['login']).toMatchObject({ kind: 'failed', failure: { class: 'OUTPUTS' } });
    expect(JSON.stringify(events)).not.toContain('open-sesame-7');
    expect(JSON.stringify(await bench.journal(id))).not.toContain('open-sesame-7');
    expect(await readFile(join(bench.root, 'out/logs/login.log'), 'utf8')).toMatch(/^with \S+\n/);
  });
});

describe('run() that is told to stop', () => {
  test('begins nothing new, ends process groups, says so at once, and exits 130', async () => {
    await using bench = await aBench();
    const stop = new AbortController();
    const begun = latch();
    const long = step('long', {
      kind: 'pure',
      run: async ({ $, root }) => {
        const command = $`sleep 60 & echo $! > ${join(root, 'pid')}; echo on; wait`;
        begun.open();
        await command;
      },
    });
    const notes: string[] = [];
    const running = bench.run([long, pure('later', notes, [long])], { signal: stop.signal });
    await begun.opened;
    const pid = await pidIn(join(bench.root, 'pid'));

    stop.abort(new Error('SIGINT'));
    const { outcome, exitCode, steps, run: id } = await running;

    expect([outcome, exitCode]).toEqual(['interrupted', 130]);
    expect(kinds(steps)).toEqual({ long: 'interrupted', later: 'unstarted' });
    expect(notes).toEqual([]);
    await gone(pid);
    expect((await bench.journal(id)).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['run.interrupted', 'run.end']),
    );
  });

  test('goes on the next time where it was: what was done is taken from the cache', async () => {
    await using bench = await aBench();
    const stop = new AbortController();
    const notes: string[] = [];
    const first = pure('first', notes);
    const second = pure('second', notes, [first], async () => {
      if (!stop.signal.aborted) stop.abort(new Error('SIGTERM'));
    });
    const third = pure('third', notes, [second]);

    await bench.run([first, second, third], { signal: stop.signal });
    const again = await bench.run([first, second, third]);

    expect(again.outcome).toBe('done');
    expect(notes.filter((note) => note === '+first')).toHaveLength(1);
    expect(notes.at(-1)).toBe('-third');
  });

  test('does nothing at all when it was told before it began', async () => {
    await using bench = await aBench();
    const notes: string[] = [];

    const { outcome } = await bench.run([pure('a', notes)], { signal: AbortSignal.abort(new Error('SIGINT')) });

    expect([outcome, notes]).toEqual(['interrupted', []]);
  });
});

async function pidIn(path: string): Promise<number> {
  for (;;) {
    const pid = Number(await readFile(path, 'utf8').catch(() => ''));
    if (pid > 0) return pid;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Resolves when no such process runs; a zombie that nobody has waited for is as good as gone. */
async function gone(pid: number): Promise<void> {
  const end = Date.now() + 5_000;
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat === '' || / Z /.test(stat)) return;
    if (Date.now() > end) throw new Error(`process ${pid} still runs`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
