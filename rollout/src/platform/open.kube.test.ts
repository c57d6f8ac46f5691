import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readStatus } from '../engine/status.ts';
import { aPlatform, aRequest, handsOn } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { parseSpec } from '../spec.ts';
import { temporaryNamespace, testCluster } from './kubernetes/cluster.rig.ts';
import { openRecords } from './open.ts';

let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;

beforeAll(async () => {
  process.env['HEADGATE_KUBECONFIG'] = testCluster().kubeconfig;
  namespace = await temporaryNamespace();
});
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

describe('openRecords() of an app on Kubernetes', () => {
  test('reads what a driver wrote there: whole releases, their evidence, and who drives', async () => {
    await using world = aPlatform();
    const driving = openKubernetesJournal(namespace.client, 'test');
    const hands = handsOn({ ...world.ports, ...driving });

    const first = await startRelease(hands, aRequest('v1'));
    const second = await startRelease(hands, aRequest('v2'));

    expect([first.kind, second.kind]).toEqual(['ended', 'ended']);
    const records = openRecords(aSpecIn(namespace.name), '/nowhere');
    const facts = await readStatus(records, aSpecIn(namespace.name), AbortSignal.timeout(10_000));
    expect(facts.head.history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted']);
    expect(facts.driver).toBeUndefined();
    expect((await records.journal.readEvidence(2, AbortSignal.timeout(10_000)))[0]).toMatchObject({ kind: 'start' });
  }, 60_000);
});

function aSpecIn(name: string) {
  const text = `app: test
services:
  proxy: { source: proxy, port: 8080 }
kubernetes:
  namespace: ${name}
  traffic: { gateway-api: { route: test }, replicas: { service: traefik } }
`;
  const parsed = parseSpec(text, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}
