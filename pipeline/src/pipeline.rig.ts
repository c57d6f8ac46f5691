import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RunEvent } from './event.ts';
import { definePipeline } from './pipeline.ts';
import { plan } from './plan.ts';
import { type RunOptions, type RunResult, run } from './run.ts';
import type { Step } from './step.ts';

/** A workspace of its own, and runs in it. */
export interface Bench extends AsyncDisposable {
  readonly root: string;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Runs these steps, and gives what happened besides how it ended. */
  run(
    steps: readonly Step[],
    options?: Partial<RunOptions>,
  ): Promise<
    RunResult & { readonly events: readonly RunEvent[]; of<K extends RunEvent['kind']>(kind: K): Happened<K> }
  >;
  plan(steps: readonly Step[], options?: Partial<RunOptions>): ReturnType<typeof plan>;
  journal(run: string): Promise<readonly { readonly kind: string }[]>;
}

type Happened<K extends RunEvent['kind']> = readonly Extract<RunEvent, { kind: K }>[];

const aChange = { commit: 'c'.repeat(40), branch: 'main', dirty: false, files: [], actor: 'kim@desk' };

export async function aBench(files: Readonly<Record<string, string>> = {}): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'headgate-bench-'));
  const write = async (contents: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(contents)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), text);
    }
  };
  await write(files);
  const pipelineOf = (steps: readonly Step[]) => definePipeline({ name: 'bench', code: [], steps });
  const defaults = { root, change: aChange, env: { PATH: process.env['PATH'] }, signal: new AbortController().signal };
  return {
    root,
    write,
    async run(steps, options = {}) {
      const events: RunEvent[] = [];
      const reporter = { on: (event: RunEvent) => void events.push(event), close: () => {} };
      const reporters = [reporter, ...(options.reporters ?? [])];
      const result = await run(pipelineOf(steps), { ...defaults, ...options, reporters });
      const of = <K extends RunEvent['kind']>(kind: K) =>
        events.filter((event) => event.kind === kind) as unknown as Happened<K>;
      return { ...result, events, of };
    },
    plan: (steps, options = {}) => plan(pipelineOf(steps), { ...defaults, ...options }),
    async journal(id) {
      const text = await readFile(join(root, '.headgate', 'runs', id, 'journal.jsonl'), 'utf8');
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string });
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}
