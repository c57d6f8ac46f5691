/** Real servers on this machine, for the local platform and for tests. The second door of the package, so that tests need not load the first. */
export { findNatsServer } from './find.ts';
export { type RunningServer, startNats } from './nats.ts';
export { freePort, startPostgres } from './postgres.ts';
