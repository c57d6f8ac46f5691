/** A delivery in small, run in a process of its own so that it can be killed: `node killed.rig.ts <root> <world> <event> [<registry> <actor> <releaseMs>]`. */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { openFolderCache } from '../cache/folder.ts';
import { layered } from '../cache/layered.ts';
import { openRegistryCache } from '../cache/registry.ts';
import type { RunEvent } from '../event.ts';
import { openRegistryJournal } from '../journal/registry.ts';
import { definePipeline, type Pipeline } from '../pipeline.ts';
import { record, text } from '../plan/schema.ts';
import type { RunOptions } from '../run.ts';
import { run } from '../run.ts';
import { step } from '../step.ts';

/** A file that is made once: whoever makes it again fails. */
const once = (world: string, name: string) => writeFile(join(world, name), name, { flag: 'wx' });
const isMade = (world: string, name: string) =>
  access(join(world, name)).then(
    () => true,
    () => false,
  );

/** `world` stands for what lies outside of the run and outlives it: registry and cluster. */
export function aDelivery(world: string, { releaseMs = 0 } = {}): Pipeline {
  const build = step('build', {
    kind: 'pure',
    inputs: { files: ['src/**'] },
    outputs: { files: ['out/image'], values: record({ digest: text }) },
    run: async ({ root, $ }) => {
      await $`mkdir -p out && cp src/main.ts out/image`;
      await access(join(root, 'out/image'));
      return { digest: 'sha256:1' };
    },
  });
  const publish = step('publish', {
    kind: 'effect',
    needs: [build],
    observe: async () =>
      (await isMade(world, 'published')) ? { kind: 'done', values: undefined } : { kind: 'absent', diff: 'publish' },
    run: () => once(world, 'published'),
  });
  const release = step('release', {
    kind: 'effect',
    needs: [publish],
    observe: async () => {
      if (await isMade(world, 'live')) return { kind: 'done', values: undefined };
      return { kind: (await isMade(world, 'candidate')) ? 'partial' : 'absent', diff: 'release' };
    },
    run: async ({ observed, $ }) => {
      if (observed.kind === 'absent') await once(world, 'candidate');
      await $`sleep 0.05`;
      await sleep(releaseMs); // No process that would outlive a kill.
      await once(world, 'live');
    },
  });
  return definePipeline({ name: 'small', code: [], steps: [build, publish, release] });
}

/** What machines share by a registry, `host:port/prefix`. */
function sharedBy(registry: string, root: string, warn: (message: string) => void) {
  const sharing = { secret: 'shared secret', writes: true, warn };
  const far = openRegistryCache({ ...sharing, repository: `${registry}/ci-cache` });
  return {
    cache: layered(openFolderCache(join(root, '.headgate/cache')), far),
    copy: openRegistryJournal({ ...sharing, repository: `${registry}/ci-journal` }),
  };
}

export function optionsFor(root: string, onEvent: (event: RunEvent) => void): RunOptions {
  return {
    root,
    change: { commit: 'c'.repeat(40), branch: 'main', dirty: false, files: [], actor: 'kim@desk' },
    env: { PATH: process.env['PATH'] },
    reporters: [{ on: onEvent, close: () => {} }],
    signal: new AbortController().signal,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [root = '', world = '', at = '0', registry, actor, releaseMs] = process.argv.slice(2);
  let seen = 0;
  process.stdout.write('begun\n');
  const options = optionsFor(root, (event) => {
    if (registry !== undefined) process.stdout.write(`${JSON.stringify(event)}\n`);
    seen += 1;
    if (seen === Number(at)) process.kill(process.pid, 'SIGKILL');
  });
  const { exitCode } = await run(aDelivery(world, { releaseMs: Number(releaseMs ?? 0) }), {
    ...options,
    change: { ...options.change, actor: actor ?? options.change.actor },
    ...(registry === undefined ? {} : sharedBy(registry, root, (message) => process.stderr.write(`${message}\n`))),
  });
  process.exit(exitCode);
}
