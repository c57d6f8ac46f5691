/**
 * A driver that kills itself at one moment: `before-record`, `after-record` or `before-confirm` of the phase that is named.
 * Started by killed-driver.ts as a process of its own: `driver.ts <file> <state> <moment> <phase> <service=image> …`.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Hands, type Head, openPlatform, type Platform, parseSpec, type Spec } from '@headgate/rollout';
import { releaseImages } from '../src/deploy/revise.ts';
import { renderTemplate } from '../src/deploy/template.ts';

const [file = '', state = '', moment = '', phase = '', ...images] = process.argv.slice(2);
const parsed = parseSpec(await readFile(file, 'utf8'), { file });
if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
const { kubernetes } = parsed.spec;
// It drives by itself; where there are controllers, one of them goes on with what it leaves.
const spec = { ...parsed.spec, kubernetes: kubernetes && { ...kubernetes, driver: 'cli' as const } };
const { signal } = new AbortController();
const open = async (named: Spec) => deadly(await openPlatform(named, { state, signal, say: () => {} }));
const ports = await open(spec);
const hands: Hands = {
  ports,
  spec,
  open,
  actor: `driver-${process.pid}`,
  emit: () => {},
  say: () => {},
  signal,
};
const wanted = {
  commit: undefined,
  template: await renderTemplate(spec, { root: dirname(file), env: process.env }, signal),
  verifyKey: undefined,
  ancestry: 'unknown',
  reason: 'a driver that dies',
  insist: true,
  hotfix: false,
  deadLetterBacklog: false,
} as const;
await releaseImages(hands, Object.fromEntries(images.map((pair) => pair.split('=') as [string, string])), wanted);
process.exit(3); // It never came to that moment.

function deadly(real: Platform): Platform {
  let recorded = '';
  return {
    ...real,
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    journal: {
      ...real.journal,
      async write(head, expected, within) {
        const next = phaseOf(head as unknown as Head);
        if (moment === 'before-record' && next === phase) die();
        const written = await real.journal.write(head, expected, within);
        recorded = next;
        if (moment === 'after-record' && next === phase) die();
        return written;
      },
    },
    traffic: {
      ...real.traffic,
      async observe(within) {
        if (moment === 'before-confirm' && recorded === phase) die();
        return real.traffic.observe(within);
      },
    },
  };
}

function phaseOf({ release }: Head): string {
  const now = release?.state.phase;
  return now === undefined ? 'none' : 'stage' in now ? `${now.kind}/${now.stage}` : now.kind;
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}
