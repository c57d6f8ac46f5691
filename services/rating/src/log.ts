/** Writes one line of JSON. Never called for a message that went well. */
export type Log = (event: string, data?: Readonly<Record<string, unknown>>) => void;

/** Lines to standard output, each with the time and who speaks. */
export function openLog(
  identity: Readonly<Record<string, string>>,
  write = (line: string) => process.stdout.write(line),
): Log {
  return (event, data = {}) => {
    write(`${JSON.stringify({ at: new Date().toISOString(), event, ...data, ...identity })}\n`);
  };
}

/** For what may come with every message: each event at most once in `everyMs`, with the number of those left out. */
export function sparing(log: Log, everyMs: number, now = () => performance.now()): Log {
  const last = new Map<string, { at: number; omitted: number }>();
  return (event, data = {}) => {
    const seen = last.get(event);
    if (seen !== undefined && now() - seen.at < everyMs) {
      seen.omitted++;
      return;
    }
    last.set(event, { at: now(), omitted: 0 });
    log(event, seen === undefined || seen.omitted === 0 ? data : { ...data, omitted: seen.omitted });
  };
}

/** The words of an error, whatever was thrown. A failed connection to several addresses says nothing but in its parts. */
export function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(wordsOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
