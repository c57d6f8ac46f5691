/** The one door through which this room's tests come to real servers. The service itself knows nothing of them. */
export { freePort, type RunningServer, startNats, startPostgres, tied } from '@headgate/rollout/servers';
