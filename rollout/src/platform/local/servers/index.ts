/** Real servers on this machine, for the local platform and for tests. The second door of the package, so that tests need not load the first. */
export { aptInstall } from './apt.ts';
export {
  type Found,
  findNatsServer,
  findServer,
  missingPackages,
  onPath,
  provideServers,
  type ServerKind,
} from './find.ts';
export { startNats } from './nats.ts';
export { freePort, startPostgres } from './postgres.ts';
export { type Exit, type RunningServer, running, tied } from './process.ts';
export { startRegistry } from './registry.ts';
