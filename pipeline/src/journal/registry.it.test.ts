import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aShell } from '../cli/shell.rig.ts';
import { identityOf } from '../deploy/place.ts';
import type { RunEvent } from '../event.ts';
import { git } from '../host/git.rig.ts';
import { aBench } from '../pipeline.rig.ts';
import { definePipeline } from '../pipeline.ts';
import { explainStep, findStep } from '../report/why.ts';
import { optionsFor } from '../run/killed.rig.ts';
import { run } from '../run.ts';
import { step } from '../step.ts';
import type { JournalCopy, Told } from './copy.ts';
import { openRegistryJournal } from './registry.ts';
import { readRuns, runIdOf } from './runs.ts';

const signal = new AbortController().signal;
const secret = 'shared secret';
const token = 'squeamish-ossifrage';

describe('the journal of a run in a registry', () => {
  let registry: RunningServer;
  let host: string;
  let folder: string;
  beforeAll(async () => {
    registry = await startRegistry();
    host = new URL(registry.url).host;
    folder = await mkdtemp(join(tmpdir(), 'headgate-told-'));
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function aClone(name: string): Promise<string> {
    const root = join(folder, name);
    await mkdir(join(root, 'src'), { recursive: true });
    await writeFile(join(root, 'src/main.ts'), 'export {};\n');
    return root;
  }

  function copyOf(name: string, options: { readonly secret?: string; readonly writes?: boolean } = {}) {
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const defaults = { repository: `${host}/${name}/ci-journal`, secret, writes: true, warn };
    return { copy: openRegistryJournal({ ...defaults, ...options }), warnings };
  }

  /** A run of one effect that fails if it is told to. */
  async function aRun(copy: JournalCopy, fails = false) {
    await using bench = await aBench();
    const publish = step('publish', {
      kind: 'effect',
      observe: () => ({ kind: 'absent', diff: `push with ${token}` }),
      run: ({ log }) => {
        log(`pushing with ${token}`);
        if (fails) throw new Error('the host is full');
      },
    });
    return await bench.run([publish], { copy, secrets: { TOKEN: token } });
  }

  /** The delivery in a process of its own, which shares the registry `killed`. */
  function aHost(root: string, world: string, actor: string, releaseMs: number) {
    const rig = join(import.meta.dirname, '../run/killed.rig.ts');
    const args = ['--import', 'tsx', '--conditions=source', rig, root, world, '0', `${host}/killed`, actor];
    const child = spawn(process.execPath, [...args, String(releaseMs)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = Promise.all([text(child.stdout), once(child, 'exit')]).then(([out, [exitCode]]) => {
      const events = out.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as RunEvent] : []));
      return { exitCode, events };
    });
    return { child, ended };
  }

  async function toldOnce(
    find: () => Promise<Told | undefined>,
    holds: (events: readonly RunEvent[]) => boolean,
  ): Promise<void> {
    for (;;) {
      const told = await find();
      if (told !== undefined && holds(told.events)) return;
      await sleep(50);
    }
  }

  test('of one that is killed -9 is found by another machine, which goes on, repeats nothing, and can say what the first one did', async () => {
    const [a, b, world] = [await aClone('a'), await aClone('b'), join(folder, 'world')];
    await mkdir(world);
    const { copy } = copyOf('killed');
    const id = runIdOf({ name: 'small', config: {}, commit: 'c'.repeat(40) });
    const first = aHost(a, world, 'kim@desk', 60_000);
    await toldOnce(
      () => copy.find(id, signal),
      (told) => told.some((event) => event.kind === 'intent' && event.step === 'release'),
    );
    first.child.kill('SIGKILL');
    await first.ended;

    const { exitCode, events } = await aHost(b, world, 'lee@laptop', 0).ended;

    expect(exitCode).toBe(0);
    expect((await readdir(world)).sort()).toEqual(['candidate', 'live', 'published']);
    const before = { actor: 'kim@desk' }; // Without an outcome.
    expect(events.filter(({ kind }) => kind === 'run.start' || kind === 'step.cached' || kind === 'step.done')).toEqual(
      [
        expect.objectContaining({
          kind: 'run.start',
          resumed: true,
          attempt: 2,
          last: { ...before, at: expect.any(Number) },
        }),
        expect.objectContaining({ kind: 'step.cached', step: 'build' }),
        expect.objectContaining({ step: 'publish', acted: false, by: expect.objectContaining({ finished: true }) }),
        expect.objectContaining({ step: 'release', acted: true }),
      ],
    );
    const story = await findStep('release', readRuns(join(b, '.headgate/runs')));
    expect(story && explainStep(story).slice(-5)).toEqual([
      expect.stringMatching(/^✓ release /),
      '  before that, in the same run:',
      expect.stringMatching(/^ {4}small · ccccccc · run \w+ · by kim@desk, elsewhere$/),
      expect.stringMatching(/^ {4}> release +release$/),
      '      it came to no end that is known',
    ]);
    // A third one learns of both.
    const told = await copy.find(id, signal);
    expect(told?.events.flatMap((one) => (one.kind === 'run.start' ? [one.actor] : []))).toEqual([
      'kim@desk',
      'lee@laptop',
    ]);
    expect(told?.events.at(-1)).toMatchObject({ kind: 'run.end', outcome: 'done' });
  }, 60_000);

  test('tells `why` and `logs` in a clone that has run nothing', async () => {
    const spec = await readFile(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');
    await using shell = await aShell(
      { 'headgate.yaml': spec },
      { ...process.env, HEADGATE_REGISTRY: `${host}/shop`, HEADGATE_CACHE_KEY: secret },
    );
    await git(shell.cwd, 'init', '--quiet');
    await git(shell.cwd, 'add', '--all');
    await git(shell.cwd, 'commit', '--quiet', '--message=one');
    const commit = await git(shell.cwd, 'rev-parse', 'HEAD');
    const before = await shell.run('why', 'imagetest:proxy');
    await using bench = await aBench({ src: 'one' });
    const imagetest = step('imagetest:proxy', {
      kind: 'pure',
      run: ({ log }) => {
        log('first line\nlast line');
        throw new Error('it does not answer');
      },
    });
    const identity = identityOf('ratings', { registry: `${host}/shop`, environment: undefined });
    const options = optionsFor(bench.root, () => {});
    await run(definePipeline({ ...identity, code: [], steps: [imagetest] }), {
      ...options,
      change: { ...options.change, commit, actor: 'actions/7/1' },
      copy: copyOf('shop').copy,
    });

    const why = await shell.run('why', 'imagetest:proxy');
    const logs = await shell.run('logs', 'imagetest:proxy');

    expect([before.code, before.err]).toEqual([64, expect.stringContaining('no run on record has it')]);
    expect(why.out).toMatch(/· by actions\/7\/1, elsewhere\n✗ imagetest:proxy .* it does not answer\n/);
    expect(logs).toMatchObject({ code: 0, out: expect.stringMatching(/^first line\nlast line\n/), err: '' });
  });

  test('of somebody with another key, or under the name of another run, is not used and warned of', async () => {
    const { run: id } = await aRun(copyOf('foreign', { secret: 'of somebody else' }).copy);
    const { copy, warnings } = copyOf('foreign');

    const { of } = await aRun(copy);

    expect(of('run.start')).toMatchObject([{ resumed: false, attempt: 1 }]);
    expect(warnings.join()).toContain('its seal is not by our key');
    const name = `${registry.url}/v2/foreign/ci-journal/manifests`;
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const ours = await (await fetch(`${name}/${id}`, { headers: { accept: type } })).text();
    await fetch(`${name}/other`, { method: 'PUT', headers: { 'content-type': type }, body: ours });
    expect(await copy.find('other', signal)).toBeUndefined();
    expect(await copy.find(id, signal)).toBeDefined();
  });

  test('has no secret, neither in what happened nor in a log', async () => {
    const { run: id } = await aRun(copyOf('secrets').copy);
    const told = await copyOf('secrets').copy.find(id, signal);
    const all = `${JSON.stringify(told?.events)}${told?.logs.get('publish')}`;

    expect(all).toContain('push with ***');
    expect(all).toContain('pushing with ***');
    expect(all).not.toContain(token);
  });

  test('has the end of a long log, and says so', async () => {
    await using bench = await aBench();
    const talk = step('talk', { kind: 'pure', run: async ({ $ }) => void (await $`seq 1 100000`) });
    const { run: id } = await bench.run([talk], { copy: copyOf('long').copy });

    const log = (await copyOf('long').copy.find(id, signal))?.logs.get('talk')?.toString() ?? '';

    expect(log).toMatch(/^\(the first \d+ bytes are where the step ran\)\n/);
    expect(log).toMatch(/\n100000\n$/);
    expect(log.length).toBeLessThan(270_000);
  });

  test('who may not write leaves nothing, and a run that had nothing to do tells nothing', async () => {
    const { run: id } = await aRun(copyOf('readers', { writes: false }).copy);
    await using bench = await aBench();
    const idle = step('idle', { kind: 'effect', observe: () => ({ kind: 'done', values: undefined }), run: () => {} });
    const { run: other } = await bench.run([idle], { copy: copyOf('readers').copy });

    expect(await copyOf('readers').copy.find(id, signal)).toBeUndefined();
    expect(await copyOf('readers').copy.find(other, signal)).toBeUndefined();
  });

  test('two machines that work at once are both told of', async () => {
    const [one, two] = await Promise.all([aRun(copyOf('both').copy), aRun(copyOf('both').copy, true)]);
    await aRun(copyOf('both').copy);

    const told = await copyOf('both').copy.find(one.run, signal);

    expect(one.run).toBe(two.run);
    expect(told?.events.filter(({ kind }) => kind === 'run.start').length).toBeGreaterThanOrEqual(2);
  });

  test('a registry that is silent, or gone, costs a warning and no run', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    try {
      const copy = openRegistryJournal({ repository: `127.0.0.1:${port}/x/ci-journal`, secret, writes: true, warn });
      const begun = performance.now();

      expect((await aRun(copy)).exitCode).toBe(0);

      expect(performance.now() - begun).toBeLessThan(20_000);
      expect(warnings).toEqual([
        expect.stringContaining('is not known here'),
        expect.stringContaining('other machines are not told of this run'),
      ]);
    } finally {
      silent.close();
      for (const socket of sockets) socket.destroy();
    }
  }, 60_000);
});
