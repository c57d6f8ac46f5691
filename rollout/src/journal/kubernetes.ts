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
import type { Records } from './journal.ts';
import { evidenceIn } from './kubernetes/evidence.ts';
import { headIn } from './kubernetes/head.ts';
import { leaseIn, type Peers } from './kubernetes/lease.ts';
import { labelsOf } from './kubernetes/objects.ts';
import { wishesIn } from './kubernetes/wishes.ts';

/**
 * Only while somebody drives, so the price of a quick renewal is paid for some minutes; what it buys is that a killed driver's release
 * goes on some 6 s later.
 */
const kubernetesLeaseTimes: LeaseTimes = { ...leaseTimes, renewMs: 1_000, stopMs: 4_500, givenUpMs: 5_500 };

/** In the client's namespace. The client stays the caller's, who closes it. */
export function openKubernetesJournal(
  client: KubeClient,
  app: string,
  times: LeaseTimes = kubernetesLeaseTimes,
  peers?: Peers,
): Records {
  return {
    journal: { ...headIn(client, app), ...evidenceIn(client, app) },
    wishes: wishesIn(client, app),
    lock: leaseIn(client, { name: `headgate-${app}`, labels: labelsOf(app) }, times, peers),
  };
}
