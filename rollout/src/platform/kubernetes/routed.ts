/** Whether pods and Services can be reached at their own addresses: inside of the cluster, and where `HEADGATE_POD_NETWORK=1` says so. */
export function isRouted(env: NodeJS.ProcessEnv): boolean {
  return env['KUBERNETES_SERVICE_HOST'] !== undefined || env['HEADGATE_POD_NETWORK'] === '1';
}
