import { readConfig } from './config.ts';
import { openLog } from './log.ts';
import { startProxy } from './proxy.ts';

const USAGE = 64;

/** Runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const read = readConfig(process.env);
  if (read.kind === 'issues') {
    const log = openLog({ service: 'proxy' });
    for (const { variable, message } of read.issues) log('config-invalid', { variable, message });
    process.exitCode = USAGE;
    return;
  }
  const { app, lane, service, revision } = read.config.identity;
  const log = openLog({ app, lane, service, revision });
  const proxy = await startProxy(read.config, log);
  await firstSignal(['SIGTERM', 'SIGINT']);
  await proxy.stop();
  process.exit(0);
}

function firstSignal(names: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const name of names) process.on(name, () => resolve()); // Stays on, so that a second signal does not kill it in the middle.
  });
}

main().catch((error: unknown) => {
  openLog({ service: 'proxy' })('failed', { error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});
