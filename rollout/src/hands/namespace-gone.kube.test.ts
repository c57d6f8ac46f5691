import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { readStatus } from '../engine/status.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { emptyBox } from '../journal/kubernetes/wishes.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { openAs, temporaryNamespace } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { rolesOf } from '../platform/kubernetes/roles.ts';
import { startRelease } from './release.ts';
import { waitFor } from './wait.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

test('a namespace that is deleted while a release runs ends who drives it and who waits for it, and status says that it is missing', async () => {
  await using namespace = await temporaryNamespace();
  const { client, name } = namespace;
  await client.create(kinds.ConfigMap, emptyBox('test'), signal());
  for (const role of rolesOf({ app: 'test', route: 'test' })) await client.create(kinds.Role, role, signal());
  await using driving = await openAs(client, 'headgate-test-driver');
  await using world = aPlatform();
  const within = AbortSignal.timeout(90_000);
  const ports = { ...world.ports, ...openKubernetesJournal(driving, 'test') };
  const hands = handsOn(ports, { spec: { ...quick, bakeMs: 100_000 }, signal: within });
  await startRelease(handsOn(ports, { signal: within }), aRequest('v1'));
  const releasing = startRelease(hands, aRequest('v2'));
  await isAt(ports, 'holding');
  const watching = { ...world.ports, ...openKubernetesJournal(client, 'test') };
  const waiting = waitFor(handsOn(watching, { driver: 'controller', signal: within }), 'ended', 90_000, 2);

  await client.remove(kinds.Namespace, name, signal());
  const [drove, waited] = await Promise.allSettled([releasing, waiting]);
  while ((await client.get(kinds.Namespace, name, within)) !== undefined) await sleep(100);

  // Its role went with the namespace, or it was the first to find that the journal is gone.
  const words = /check that the namespace exists|who deleted its ConfigMaps/;
  expect(drove).toMatchObject({
    reason: { code: expect.stringMatching(/^JOURNAL_/), hint: expect.stringMatching(words) },
  });
  expect(waited).toMatchObject({
    reason: { message: expect.stringMatching(/journal .* is gone|namespace must exist/) },
  });
  const records = openKubernetesJournal(client, 'test');
  await expect(readStatus(records, hands.spec, signal())).rejects.toMatchObject({
    code: 'JOURNAL_UNREADABLE',
    message: `Cannot read configmap ${name}/headgate-test as its namespace must exist: current value is "${name}"`,
  });
}, 120_000);

test('status of a namespace whose objects are gone before it is gone itself says that it is being deleted', async () => {
  await using namespace = await temporaryNamespace();
  const { client, name } = namespace;
  const kept = { metadata: { name: 'kept', finalizers: ['headgate.dev/test'] } };
  await client.create(kinds.ConfigMap, kept, signal());
  await using world = aPlatform();
  const status = () => readStatus(openKubernetesJournal(client, 'test'), handsOn(world.ports).spec, signal());
  await expect(status()).resolves.toMatchObject({ head: { history: [] } });
  try {
    await client.remove(kinds.Namespace, name, signal());

    await expect(status()).rejects.toMatchObject({
      code: 'JOURNAL_UNREADABLE',
      message: `Cannot read configmap ${name}/headgate-test as its namespace must exist: current value is "${name}", which is being deleted`,
    });
  } finally {
    await client.merge(kinds.ConfigMap, 'kept', { metadata: { finalizers: null } }, signal());
  }
}, 60_000);

test('a viewer may see the namespace of the app, and no other', async () => {
  await using namespace = await temporaryNamespace();
  const { client, name } = namespace;
  for (const role of rolesOf({ app: 'test', route: 'test' })) await client.create(kinds.Role, role, signal());
  await using viewing = await openAs(client, 'headgate-test-viewer');

  await expect(viewing.get(kinds.Namespace, name, signal())).resolves.toMatchObject({ metadata: { name } });
  await expect(viewing.get(kinds.Namespace, 'default', signal())).rejects.toMatchObject({ message: /403|forbid/i });
}, 60_000);
