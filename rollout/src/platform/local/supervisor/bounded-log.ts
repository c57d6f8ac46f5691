import { appendFile, rename, stat } from 'node:fs/promises';
import { unlessMissing } from '../../../journal/files.ts';

const fileMaxBytes = 1 << 20;
const bufferMaxChars = 256 << 10;
const lineMaxChars = 2_000;
const tailMaxLines = 20;

/** A process's output: two files of at most 1 MiB each, and the last 20 lines at hand. Output faster than the disk is cut. */
export class BoundedLog {
  readonly #path: string;
  readonly #lines: string[] = [];
  #open = '';
  #waiting = '';
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** At most 20, oldest first; a line that has not ended yet is one too. */
  get tail(): readonly string[] {
    return [...this.#lines, ...(this.#open === '' ? [] : [this.#open])].slice(-tailMaxLines);
  }

  write(text: string): void {
    const lines = (this.#open + text).split('\n');
    this.#open = (lines.pop() ?? '').slice(-lineMaxChars);
    this.#lines.push(...lines.slice(-tailMaxLines).map((line) => line.slice(0, lineMaxChars)));
    this.#lines.splice(0, this.#lines.length - tailMaxLines);
    const idle = this.#waiting === '';
    this.#waiting = (this.#waiting + text).slice(-bufferMaxChars);
    if (idle) this.#writing = this.#writing.then(() => this.#flush());
  }

  /** Resolves when everything written so far is in the file. */
  written(): Promise<void> {
    return this.#writing;
  }

  async #flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    try {
      const size = (await unlessMissing(stat(this.#path)))?.size ?? 0;
      if (size + text.length > fileMaxBytes) await unlessMissing(rename(this.#path, `${this.#path}.1`));
      await appendFile(this.#path, text);
    } catch {
      // A full disk must not end a lane: the last lines are still in memory.
    }
  }
}
