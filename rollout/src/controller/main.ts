/**
 * The controller's process. `HEADGATE_NAMESPACE` is what it tends, by default the pod's own; `POD_NAME` tells two replicas apart;
 * `HEADGATE_WEBHOOK` hears how releases end, in the place of the address that an app names;
 * `ADMIN_PORT` has /healthz, /readyz and /metrics (9090 by default). It knows no app beforehand: each names its servers in its order.
 */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Emit } from '../engine/occurrence.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { newsOf } from '../notify/notice.ts';
import { type Notifier, openNotifier } from '../notify/notifier.ts';
import { postWebhook } from '../notify/webhook.ts';
import { openKubeClient } from '../platform/kubernetes/client.ts';
import { openKubernetesPlatform } from '../platform/kubernetes/open.ts';
import { serviceAccountFolder } from '../platform/kubernetes/service-account.ts';
import type { Spec } from '../spec.ts';
import { newVitals, openAdmin } from './admin.ts';
import { openBoard } from './board.ts';
import { type ControllerEvent, runController } from './controller.ts';
import { holderOf, podPeers } from './peers.ts';
import type { Tended } from './tend.ts';

const told = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => told.abort());

const namespace =
  process.env['HEADGATE_NAMESPACE'] ?? (await readFile(join(serviceAccountFolder, 'namespace'), 'utf8')).trim();
const pod = process.env['POD_NAME'];
const holder = holderOf(pod ?? hostname());
using client = openKubeClient({ namespace });
const peers = pod === undefined ? undefined : podPeers(client, pod);
const notifiers = new Map<string, Notifier>();
const vitals = newVitals();
await using admin = await openAdmin(Number(process.env['ADMIN_PORT'] ?? 9_090), vitals);

log('started', { namespace, holder, port: admin.port });
await runController(openBoard(client, tendedOf), tell, told.signal);
for (const notifier of notifiers.values()) await notifier[Symbol.asyncDispose]();
log('stopped', { holder });

function tendedOf(app: string): Tended {
  return {
    app,
    holder,
    notify: (spec) => notifierOf(spec).emit,
    records: openKubernetesJournal(client, app, undefined, peers),
    open: (spec) =>
      openKubernetesPlatform(spec, client, {
        untold: (error) => log('event-unwritten', { app, error: String(error) }),
      }),
    emit: emitTo(app),
  };
}

const tellMaxMs = 30_000;

/** One for each app and address. */
function notifierOf({ app, webhook }: Spec): Notifier {
  const url = process.env['HEADGATE_WEBHOOK'] || webhook;
  const name = `${app} ${url}`;
  const known = notifiers.get(name);
  if (known !== undefined) return known;
  const made = openNotifier(
    async (notice) => {
      if (url !== undefined) await postWebhook(url, newsOf(notice, { app }), AbortSignal.timeout(tellMaxMs));
    },
    (error) => log('webhook-untold', { app, error: String(error) }),
  );
  notifiers.set(name, made);
  return made;
}

function emitTo(app: string): Emit {
  return (occurrence) => {
    switch (occurrence.kind) {
      case 'decided': {
        const { release, decision } = occurrence;
        const phase = decision.state.phase.kind;
        const counts = vitals.decisions.get(app) ?? new Map<string, number>();
        vitals.decisions.set(app, counts.set(phase, (counts.get(phase) ?? 0) + 1));
        log('decided', { app, release: release.id, phase: decision.state.phase, why: decision.why });
        break;
      }
      case 'held':
        log('held', { app, release: occurrence.release.id, reason: occurrence.reason, why: occurrence.why });
        break;
      case 'commandFailed':
        log('command-failed', { app, command: occurrence.command, message: occurrence.message });
        break;
      case 'unseen':
        vitals.blindness.unseen(app, occurrence.port, Date.now(), 0);
        log('unseen', { app, port: occurrence.port, message: occurrence.message });
        break;
      case 'looked':
        vitals.held.set(app, occurrence.decision.hold);
        break;
    }
  };
}

function tell(event: ControllerEvent): void {
  switch (event.kind) {
    case 'seeing':
      vitals.blind = undefined;
      log('seeing', {});
      break;
    case 'blind':
      vitals.blind = event.why;
      log('blind', { why: event.why });
      break;
    case 'tending':
      vitals.tending.add(event.app);
      break;
    case 'rested':
      vitals.tending.delete(event.app);
      vitals.held.delete(event.app);
      vitals.blindness.rest(event.app);
      break;
    case 'failed':
      vitals.tending.delete(event.app);
      vitals.held.delete(event.app);
      vitals.failures++;
      vitals.blindness.unseen(event.app, 'journal', Date.now(), event.againMs);
      log('failed', { app: event.app, error: String(event.error), againMs: event.againMs });
      break;
  }
}

/** One JSON object a line. */
function log(event: string, facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), event, ...facts })}\n`);
}
