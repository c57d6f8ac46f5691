import { setTimeout as sleep } from 'node:timers/promises';
import { openAdmin } from './admin.ts';
import { type Config, readConfig } from './config.ts';
import { openDispatch } from './dispatch.ts';
import { Intake } from './intake.ts';
import { openLink } from './link.ts';
import { type Log, openLog, wordsOf } from './log.ts';
import { openMetrics } from './metrics.ts';
import { Postgres } from './postgres.ts';
import { Presence } from './presence.ts';
import { readiness } from './readiness.ts';
import { Sources } from './sources.ts';

const USAGE = 64;
const PURGE_EVERY_MS = 30_000;
/** A connection that does not drain within this is left: what was answered has been sent by then. */
const DRAIN_MAX_MS = 1_500;

const told = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => told.abort());

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    openLog({ service: 'rating' })('failed', { error: wordsOf(error) });
    process.exit(1);
  },
);

/** @returns the exit code */
async function main(): Promise<number> {
  const read = readConfig(process.env);
  if (read.kind === 'issues') {
    const log = openLog({ service: 'rating' });
    for (const { variable, message } of read.issues) log('config-invalid', { variable, message });
    return USAGE;
  }
  await serve(read.config, told.signal);
  return 0;
}

/** Works until `signal` aborts; then pulls no more, finishes what it has begun, and gives back the rest. */
async function serve(config: Config, signal: AbortSignal): Promise<void> {
  const log = openLog(config.identity);
  const presence = { nats: new Presence(), database: new Presence() };
  const state: { intake?: Intake; sources?: Sources } = {};
  const metrics = openMetrics(config.identity, { inFlight: () => state.intake?.inFlight() ?? new Map() });
  const health = () => ({
    stopping: signal.aborted,
    nats: presence.nats.standing(),
    database: presence.database.standing(),
    pulls:
      state.intake === undefined || state.sources?.streams === undefined
        ? ('unknown' as const)
        : state.intake.standing(),
  });
  await using _admin = await openAdmin({
    host: config.host,
    port: config.adminPort,
    ready: () => readiness(health()),
    metrics,
  });
  log('started');
  const store = new Postgres(config.database, { log, presence: presence.database });
  const prepared = new Promise<void>((resolve) => void store.keep(resolve, signal));
  const connection = await openLink(config.nats, { log, presence: presence.nats, signal });
  if (connection === undefined) return;
  await Promise.race([prepared, aborted(signal)]);
  const intake = new Intake({
    connection,
    config,
    log,
    metrics,
    work: openDispatch({ connection, store, log, metrics }),
  });
  state.intake = intake;
  state.sources = new Sources({
    connection,
    identity: config.identity,
    own: config.own.stream,
    other: config.other.stream,
    log,
    follow: (streams) => intake.follow(streams),
  });
  void purge(store, config, log, signal);
  if (!signal.aborted) await state.sources.follow(signal);
  await intake.stop();
  await Promise.race([connection.drain(), sleep(DRAIN_MAX_MS)]);
  await Promise.race([store.close(), sleep(DRAIN_MAX_MS)]);
  log('stopped');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function purge(store: Postgres, { inboxKeepMs }: Config, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(PURGE_EVERY_MS, undefined, { signal }).catch(() => {}); // Aborted: the loop's condition ends it.
    if (!signal.aborted)
      await store.purge(inboxKeepMs).catch((error: unknown) => log('purge-failed', { error: wordsOf(error) }));
  }
}
