import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceDurably, unlessMissing } from '../../../journal/files.ts';
import {
  contentOf,
  failureText,
  type Migration,
  type MigrationSeen,
  migrationMaxMs,
  runsAs,
} from '../../../migration/migration.ts';
import { environmentOf } from '../../environment.ts';
import { BoundedLog } from './bounded-log.ts';
import { type Boxed, startBoxed } from './boxed.ts';
import type { Surroundings } from './instance.ts';
import { recordPid } from './pids.ts';
import type { ResolveImage } from './service-runner.ts';

export type MigratorOptions = {
  readonly app: string;
  readonly around: Surroundings;
  readonly resolveImage: ResolveImage;
  /** Remembers what was done, when this process does not. */
  readonly file: string;
};

type Run = {
  readonly release: number;
  readonly over: AbortController;
  readonly ended: Promise<void>;
  seen: MigrationSeen;
};

const stopGraceMs = 5_000;

/** Runs migrations, each in a process that ends with this one: whoever needs it then starts it again. */
export class Migrator {
  readonly #options: MigratorOptions;
  readonly #runs = new Map<string, Run>();
  readonly #done: Set<string>;

  private constructor(options: MigratorOptions, done: readonly string[]) {
    this.#options = options;
    this.#done = new Set(done);
  }

  /** The file is our own and written whole, so that it is trusted. */
  static async open(options: MigratorOptions): Promise<Migrator> {
    const text = await unlessMissing(readFile(options.file, 'utf8'));
    return new Migrator(options, text === undefined ? [] : (JSON.parse(text) as readonly string[]));
  }

  observe(migration: Migration): MigrationSeen {
    const content = contentOf(migration);
    if (this.#done.has(content)) return { kind: 'done' };
    const run = this.#runs.get(content);
    const isOld = run?.seen.kind === 'failed' && run.release !== migration.release;
    return run === undefined || isOld ? { kind: 'absent' } : run.seen;
  }

  start(migration: Migration): void {
    if (this.observe(migration).kind !== 'absent') return;
    const over = new AbortController();
    const run: Run = {
      release: migration.release,
      over,
      seen: { kind: 'running', text: undefined },
      ended: this.#run(migration, over.signal).then((seen) => {
        run.seen = seen;
      }),
    };
    this.#runs.set(contentOf(migration), run);
  }

  async close(): Promise<void> {
    for (const { over } of this.#runs.values()) over.abort();
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  async #run(migration: Migration, over: AbortSignal): Promise<MigrationSeen> {
    const content = contentOf(migration);
    const log = new BoundedLog(join(this.#options.around.logs, `migration-${content.slice(0, 10)}.log`));
    const failed = (what: string): MigrationSeen => ({ kind: 'failed', text: failureText(what, log.tail) });
    try {
      const boxed = await this.#box(migration, log, over);
      const timer = setTimeout(() => void boxed.stop(stopGraceMs), migrationMaxMs);
      const { code, signal } = await boxed.ended;
      clearTimeout(timer);
      await log.written();
      if (code !== 0)
        return failed(signal === undefined ? `it ended with exit code ${code}` : `it ended with ${signal}`);
      this.#done.add(content);
      await replaceDurably(this.#options.file, JSON.stringify([...this.#done]));
      return { kind: 'done' };
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    }
  }

  async #box(migration: Migration, log: BoundedLog, over: AbortSignal): Promise<Boxed> {
    const { app, around, resolveImage } = this.#options;
    const { image, command, lane, revision } = migration;
    const { root, config } = await resolveImage(image, over);
    const [service, template] = runsAs(revision.template);
    const seat = { app, lane, service, revision, template, existing: undefined };
    const boxed = await startBoxed({
      bwrap: around.bwrap,
      image: { root, config: { ...config, entrypoint: command } },
      env: environmentOf(seat, around.servers, { host: '127.0.0.1', port: 0, adminPort: 0 }),
      log,
    });
    for (const pid of boxed.pids) await recordPid(around.pids, pid);
    over.addEventListener('abort', () => void boxed.stop(stopGraceMs), { once: true });
    if (over.aborted) void boxed.stop(0);
    return boxed;
  }
}
