/** Counts what held and what did not, and says each in one line. */
export class Report {
  #passed = 0;
  #failed = 0;

  check(words: string, holds: boolean, detail = ''): void {
    if (holds) this.#passed++;
    else this.#failed++;
    process.stdout.write(`${holds ? '✓' : '✗'} ${words}${detail === '' ? '' : `: ${detail}`}\n`);
  }

  say(words: string): void {
    process.stdout.write(`  ${words}\n`);
  }

  /** @returns the exit code */
  close(): number {
    process.stdout.write(`\n${this.#passed} passed, ${this.#failed} failed\n`);
    return this.#failed === 0 ? 0 : 1;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
