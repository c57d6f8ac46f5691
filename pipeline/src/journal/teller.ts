import { open } from 'node:fs/promises';
import { withDeadline } from '@headgate/rollout';
import type { RunEvent } from '../event.ts';
import type { Reporter } from '../report/report.ts';
import type { JournalCopy } from './copy.ts';

/** So much of the end of each log is told. */
const logMaxBytes = 256 * 1024;
/** For one telling, beside the work. */
const tellMaxMs = 30_000;
/** How long the end of a run waits for the last telling; of one that is interrupted, whose host kills it soon. */
const endMaxMs = { calm: 5_000, interrupted: 1_500 };

export type TellerOptions = {
  readonly run: string;
  readonly copy: JournalCopy;
  /** All that this machine has on record of the run. */
  readonly read: () => Promise<readonly RunEvent[]>;
  /** Path of a step's log. */
  readonly logOf: (step: string) => string;
  /** True for a run that other machines may take for unfinished. */
  readonly resumed: boolean;
};

/**
 * Tells other machines of a run, where something was done or was about to be, beside the work: no step waits for it, and what goes wrong is
 * said once. What comes while it tells is told together. A run that found all done and was told as such is not told again.
 */
export class Teller implements Reporter, AsyncDisposable {
  readonly #options: TellerOptions;
  readonly #stop = new AbortController();
  /** Steps whose log has more than was told. */
  readonly #logs = new Set<string>();
  #telling: Promise<void> | undefined;
  #due = false;
  #news: boolean;
  #failed = false;
  #endMaxMs = endMaxMs.calm;

  constructor(options: TellerOptions) {
    this.#options = options;
    this.#news = options.resumed;
  }

  on(event: RunEvent): void {
    if (event.kind === 'step.line') return; // Most events are.
    // A step that is passed over leaves the log of an earlier run as it is.
    if ('step' in event && event.kind !== 'step.skip') this.#logs.add(event.step);
    if (event.kind === 'run.interrupted') this.#endMaxMs = endMaxMs.interrupted;
    this.#news ||= isNews(event);
    const isWanted = event.kind === 'run.end' ? this.#news : isNews(event) && !this.#failed;
    if (!isWanted) return;
    this.#due = true;
    this.#telling ??= this.#tell();
  }

  close(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), this.#endMaxMs);
    await this.#telling;
    clearTimeout(timer);
  }

  async #tell(): Promise<void> {
    while (this.#due) {
      this.#due = false;
      try {
        await this.#tellOnce();
      } catch (error) {
        if (!this.#failed) this.#options.copy.warn(`other machines are not told of this run: ${String(error)}`);
        this.#failed = true;
      }
    }
    this.#telling = undefined;
  }

  async #tellOnce(): Promise<void> {
    const { run, copy, read, logOf } = this.#options;
    const steps = [...this.#logs];
    this.#logs.clear();
    const events = await read();
    const logs = new Map<string, Buffer>();
    for (const step of steps) {
      const log = await readEnd(logOf(step));
      if (log !== undefined) logs.set(step, log);
    }
    try {
      await copy.keep(run, { events, logs }, withDeadline(this.#stop.signal, tellMaxMs));
    } catch (error) {
      for (const step of steps) this.#logs.add(step);
      throw error;
    }
  }
}

function isNews(event: RunEvent): boolean {
  switch (event.kind) {
    case 'intent':
    case 'step.fail':
    case 'step.retry':
    case 'run.interrupted':
      return true;
    case 'step.done':
      return event.acted;
    default:
      return false;
  }
}

/** `undefined` for a step that has no log. */
async function readEnd(path: string): Promise<Buffer | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - logMaxBytes);
    const end = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(end, 0, end.length, from);
    const cut = from === 0 ? '' : `(the first ${from} bytes are where the step ran)\n`;
    return Buffer.concat([Buffer.from(cut), end.subarray(0, bytesRead)]);
  } finally {
    await file.close();
  }
}
