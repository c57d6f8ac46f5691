import type { Reporter, Write } from './report.ts';

/** Every event as a line of JSON, for machines. */
export function jsonReporter(write: Write): Reporter {
  return {
    on: (event) => write(`${JSON.stringify(event)}\n`),
    close: () => {},
  };
}
