/** Writes one line of JSON. Called at start, at changes of the NATS connection and in shutdown; never for a request. */
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
