import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Redact } from './redact.ts';

/** How many lines of a failed step people see at once. */
const tailMaxLines = 60;
/** A longer line is broken: readers of logs cut it or choke on it. */
const lineMaxChars = 4_096;
const pendingMaxChars = 65_536;
/** More than any form of a secret needs, so that none is cut in two. */
const overlapChars = 16_384;
const logMaxBytes = 64 * 1_048_576;

export type SpoolOptions = {
  readonly file: string;
  readonly redact: Redact;
  readonly onLine: (line: string) => void;
};

/** One step's log: whole lines without secrets, to the file and to whoever listens. Written at once, so that a crash loses nothing. */
export class LogSpool implements Disposable {
  readonly #options: SpoolOptions;
  readonly #file: number;
  readonly #tail: string[] = [];
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  readonly #pending = { stdout: '', stderr: '' };
  #bytes = 0;

  /** Begins the file anew. */
  constructor(options: SpoolOptions) {
    this.#options = options;
    mkdirSync(dirname(options.file), { recursive: true });
    this.#file = openSync(options.file, 'w');
  }

  /** The last lines, at most 60. */
  get tail(): readonly string[] {
    return [...this.#tail];
  }

  /** Output of a command. The two streams are kept apart until a line is whole. */
  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    const text = this.#pending[stream] + this.#decoders[stream].write(Buffer.from(chunk));
    const end = text.lastIndexOf('\n');
    this.#pending[stream] = text.slice(end + 1);
    if (end >= 0) this.log(text.slice(0, end));
    if (this.#pending[stream].length > pendingMaxChars) this.#cut(stream);
  }

  /** One or more whole lines. */
  log(text: string): void {
    // Before it is split: a secret may have several lines.
    for (const line of this.#options.redact(text).split('\n')) this.#line(line.replace(/\r$/, ''));
  }

  /** Writes out what came without an end of line. */
  flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#pending[stream];
      this.#pending[stream] = '';
      if (rest !== '') this.log(rest);
    }
  }

  [Symbol.dispose](): void {
    this.flush();
    closeSync(this.#file);
  }

  /** A line without end, e.g. a minified file: hide the secrets in all of it, then let go of what cannot be the start of one. */
  #cut(stream: 'stdout' | 'stderr'): void {
    const text = this.#options.redact(this.#pending[stream]);
    const cut = Math.max(0, text.length - overlapChars);
    this.#line(text.slice(0, cut));
    this.#pending[stream] = text.slice(cut);
  }

  #line(line: string): void {
    for (let start = 0; start === 0 || start < line.length; start += lineMaxChars) {
      const part = line.slice(start, start + lineMaxChars);
      this.#tail.push(part);
      if (this.#tail.length > tailMaxLines) this.#tail.shift();
      this.#store(part);
      this.#options.onLine(part);
    }
  }

  #store(line: string): void {
    if (this.#bytes > logMaxBytes) return;
    this.#bytes += writeSync(this.#file, `${line}\n`);
    if (this.#bytes > logMaxBytes) writeSync(this.#file, `(the log ends here, at ${logMaxBytes} bytes)\n`);
  }
}
