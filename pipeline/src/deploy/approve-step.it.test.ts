import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSpec } from '@headgate/rollout';
import { type RunningServer, startRegistry } from '@headgate/rollout/servers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { aShell } from '../cli/shell.rig.ts';
import { aBench } from '../pipeline.rig.ts';
import { parseRepository } from '../registry/http.ts';
import { putArtifact } from '../sign/attach.ts';
import { step } from '../step.ts';
import { type Asking, approveStep } from './approve-step.ts';
import type { Publish } from './image-steps.ts';

const yaml = 'app: shop\nservices: { web: { source: web, port: 80 } }\napprovers: [kim, lee]\n';
const ours = generateKeyPairSync('ed25519');
const theirs = generateKeyPairSync('ed25519');
const verify = ours.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pemOf = (keys: typeof ours) => keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

let folder: string;
let registry: RunningServer;
let host: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-approve-'));
  registry = await startRegistry({ folder });
  host = new URL(registry.url).host;
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

let revisions = 0;

/** A delivery of a new revision that stops to ask, and the command line of kim. Each has a prefix of the registry of its own. */
async function aDelivery(env: Readonly<Record<string, string>> = {}) {
  revisions += 1;
  const revision = String(revisions).padStart(64, 'a');
  const place = `${host}/shop${revisions}`;
  const parsed = parseSpec(yaml, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  const { spec } = parsed;
  const releases: string[] = [];
  const bench = await aBench();
  const shell = await aShell({ 'headgate.yaml': yaml }, { HEADGATE_REGISTRY: place, ...env });
  const publish = step('publish', { kind: 'pure', run: () => {} }) as unknown as Publish;
  const releaser = {
    observe: async () => ({ kind: 'absent', revision, diff: 'release it' }) as const,
    release: async () => {
      releases.push(revision);
      return { kind: 'done' } as const;
    },
  };
  const deliver = (asked: Partial<Asking> = {}, secrets: Readonly<Record<string, string>> = {}) => {
    const asking = {
      verifyKey: env['HEADGATE_VERIFY_KEY'],
      secret: undefined,
      yesOf: undefined,
      reason: 'it is Monday',
      ...asked,
    };
    const where = {
      spec,
      root: bench.root,
      cache: folder,
      builder: 'oci',
      baseKey: 'a base',
      registry: place,
      live: undefined,
    };
    const approve = approveStep(where, { publish, after: [], releaser, asking });
    const release = step('release', {
      kind: 'effect',
      needs: [approve],
      observe: () => ({ kind: 'absent', diff: 'release it' }),
      run: async () => void (await releaser.release()),
    });
    return bench.run([publish, approve, release], { secrets });
  };
  return {
    revision,
    releases,
    deliver,
    place,
    approve: (...args: string[]) => shell.run('approve', revision, '--reason', 'tried it', ...args),
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      await shell[Symbol.asyncDispose]();
    },
  };
}

test('a delivery stops with 20 and what to type, and goes on once an approver has said yes', async () => {
  await using delivery = await aDelivery();

  const waiting = await delivery.deliver();
  const said = await delivery.approve();
  const going = await delivery.deliver();

  expect(waiting.exitCode).toBe(20);
  expect(waiting.steps['approve']).toMatchObject({
    failure: { class: 'UNAPPROVED', hint: expect.stringContaining(`headgate approve ${delivery.revision}`) },
  });
  expect(said).toMatchObject({ code: 0, err: '' });
  expect(going.exitCode).toBe(0);
  expect(delivery.releases).toHaveLength(1);
});

test('a yes is about one revision', async () => {
  await using first = await aDelivery();
  await using second = await aDelivery();
  await first.approve();

  expect((await second.deliver()).exitCode).toBe(20);
});

test('who says no stops it by name and reason, until somebody thinks again', async () => {
  await using delivery = await aDelivery();
  await delivery.approve('--deny');

  const { exitCode, steps } = await delivery.deliver();
  await delivery.approve();

  expect([exitCode, steps['approve']]).toMatchObject([
    20,
    { failure: { message: expect.stringMatching(/kim has said no: tried it$/) } },
  ]);
  expect((await delivery.deliver()).exitCode).toBe(0);
});

test('who is no approver is refused with 12, on the command line and in a run', async () => {
  await using delivery = await aDelivery();
  await using shell = await aShell(
    { 'headgate.yaml': yaml.replace('kim, ', '') },
    { HEADGATE_REGISTRY: delivery.place },
  );

  const refused = await shell.run('approve', delivery.revision, '--reason', 'I want to');
  const { exitCode } = await delivery.deliver({ yesOf: 'eve' });

  expect([refused.code, refused.err]).toEqual([
    12,
    expect.stringContaining('current value is "kim"\n  ask one of lee'),
  ]);
  expect(exitCode).toBe(12);
  expect((await delivery.deliver()).exitCode).toBe(20);
});

test('an approver who runs it with --approve is on record by that', async () => {
  await using delivery = await aDelivery();

  expect((await delivery.deliver({ yesOf: 'lee' })).exitCode).toBe(0);
  expect((await delivery.deliver()).exitCode).toBe(0);
});

test('where signatures are asked for, a word without the right one is refused, and counts for nothing if it is put there', async () => {
  await using delivery = await aDelivery({ HEADGATE_VERIFY_KEY: verify });
  const word = { app: 'shop', revision: delivery.revision, decision: 'approved', by: 'kim', at: 1, reason: 'forged' };
  const payload = Buffer.from(JSON.stringify(word)).toString('base64');
  const content = Buffer.from(JSON.stringify({ payload, signature: Buffer.from('x').toString('base64') }));
  const artifactType = 'application/vnd.headgate.approval.v1+json';
  const { signal } = new AbortController();

  expect((await delivery.approve()).code).toBe(12);
  await putArtifact(
    parseRepository(`${delivery.place}/approvals`),
    { artifactType, content, tag: delivery.revision },
    signal,
  );
  expect((await delivery.deliver()).exitCode).toBe(20);
  expect((await delivery.deliver({ yesOf: 'kim', secret: 'KEY' }, { KEY: pemOf(theirs) })).exitCode).toBe(12);
  expect((await delivery.deliver({ yesOf: 'kim', secret: 'KEY' }, { KEY: pemOf(ours) })).exitCode).toBe(0);
  expect((await delivery.deliver()).exitCode).toBe(0);
});
