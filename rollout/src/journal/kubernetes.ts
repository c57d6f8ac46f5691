/**
 * The records of one app as objects of its namespace:
 *
 *   configmap headgate-<app>             the head, replaced whole over the resourceVersion last seen
 *   configmap headgate-<app>-e<n>-<part> evidence of release n, gzipped, immutable when full; the last ten releases
 *   configmap headgate-<app>-wishes      one key for each wish, so that who adds one need not read the others
 *   lease     headgate-<app>             the app's lock
 */
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { type LeaseTimes, leaseTimes } from './app-lock.ts';
import type { AppLock, Records } from './journal.ts';
import { evidenceIn } from './kubernetes/evidence.ts';
import { headIn } from './kubernetes/head.ts';
import { leaseIn } from './kubernetes/lease.ts';
import { labelsOf } from './kubernetes/objects.ts';
import { wishesIn } from './kubernetes/wishes.ts';

/** What a driver writes to an API server while it holds a lease: once in 5 s. */
const kubernetesLeaseTimes: LeaseTimes = { ...leaseTimes, renewMs: 5_000 };

/** In the client's namespace. The client stays the caller's, who closes it. */
export function openKubernetesJournal(
  client: KubeClient,
  app: string,
  times: LeaseTimes = kubernetesLeaseTimes,
): Records {
  return {
    journal: { ...headIn(client, app), ...evidenceIn(client, app) },
    wishes: wishesIn(client, app),
    lock: leaseIn(client, { name: `headgate-${app}`, labels: labelsOf(app) }, times),
  };
}

/** The lock of the controllers of a namespace among themselves. No app has a dot in its name. */
export function openControllerLock(client: KubeClient): AppLock {
  const labels = { 'app.kubernetes.io/managed-by': 'headgate' };
  return leaseIn(client, { name: 'headgate.controller', labels }, kubernetesLeaseTimes);
}
