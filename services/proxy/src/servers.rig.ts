/** The one door through which this room's tests and bench come to real servers. The service itself knows nothing of them. */
export { freePort, type RunningServer, startNats, tied } from '@headgate/rollout/servers';
