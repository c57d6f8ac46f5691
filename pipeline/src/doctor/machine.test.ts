import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseSpec, type Spec } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { checkMachine, lookAtMachine, type MachineFacts } from './machine.ts';

const example = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');
const kubernetes = 'kubernetes: { namespace: r, traffic: { gateway-api: { route: r }, replicas: { service: r } } }\n';

function spec(more = ''): Spec {
  const parsed = parseSpec(`${example}${more}`, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

const whole: MachineFacts = {
  node: '20.19.0',
  git: true,
  kubectl: true,
  ansible: true,
  packages: [],
  writable: true,
  utf8: true,
  docker: true,
  unboxed: undefined,
  buildah: true,
  builder: 'docker',
  set: new Set(['HEADGATE_REGISTRY', 'HEADGATE_VERIFY_KEY']),
};

test.each(['', kubernetes])('checkMachine() finds nothing on a machine that has all %s', (more) => {
  expect(checkMachine(spec(more), whole)).toEqual([]);
});

test.each<{ lacks: Partial<MachineFacts>; more?: string; kind?: 'hint'; said: string; cure: string }>([
  { lacks: { node: '20.18.3' }, said: 'current value is "20.18.3"', cure: 'nodejs.org' },
  { lacks: { node: '18.20.0' }, said: 'current value is "18.20.0"', cure: 'nodejs.org' },
  { lacks: { git: false }, said: 'must have git', cure: 'apt-get install -y git' },
  { lacks: { kubectl: false }, more: kubernetes, said: 'must have kubectl', cure: 'kubernetes.io' },
  {
    lacks: { packages: ['haproxy', 'bubblewrap'] },
    said: 'lacks haproxy, bubblewrap',
    cure: 'apt-get install -y haproxy bubblewrap',
  },
  {
    lacks: { packages: ['haproxy', 'bubblewrap', 'docker-registry'] },
    more: kubernetes,
    kind: 'hint',
    said: 'tests no image before a release, and lacks bubblewrap, docker-registry',
    cure: 'apt-get install -y bubblewrap docker-registry',
  },
  { lacks: { unboxed: 'No permissions' }, said: 'and lanes run: current value is "No permissions"', cure: 'sysctl -w' },
  {
    lacks: { unboxed: 'No permissions' },
    more: kubernetes,
    kind: 'hint',
    said: 'images are tested: current value is "No permissions"',
    cure: 'sysctl -w',
  },
  { lacks: { builder: 'buildah', buildah: false }, said: 'must have buildah', cure: 'apt-get install -y buildah' },
  { lacks: { docker: false }, said: 'network "bridge"', cure: 'docker network inspect bridge' },
  { lacks: { writable: false }, said: 'must be able to write', cure: 'right' },
  {
    lacks: { set: new Set(['HEADGATE_VERIFY_KEY']) },
    more: kubernetes,
    kind: 'hint',
    said: 'HEADGATE_REGISTRY',
    cure: 'host/prefix',
  },
  { lacks: { set: new Set(['HEADGATE_REGISTRY']) }, kind: 'hint', said: 'HEADGATE_VERIFY_KEY', cure: 'public half' },
])(
  'checkMachine() of a machine with $lacks says what and how to mend it',
  ({ lacks, more, kind = 'missing', said, cure }) => {
    expect(checkMachine(spec(more), { ...whole, ...lacks })).toEqual([
      { kind, about: 'this machine', said: expect.stringContaining(said), cure: expect.stringContaining(cure) },
    ]);
  },
);

test('checkMachine() asks for the locale of Ansible where that is used, and for docker where that builds', () => {
  const canary = spec(kubernetes);
  const rolling: Spec = { ...canary, release: { ...canary.release, strategy: 'rolling' } };

  expect(checkMachine(rolling, { ...whole, utf8: false })).toEqual([
    expect.objectContaining({
      kind: 'missing',
      said: expect.stringContaining('C.UTF-8'),
      cure: expect.stringContaining('localedef'),
    }),
  ]);
  expect(checkMachine(spec(), { ...whole, utf8: false, docker: false, buildah: false, builder: 'oci' })).toEqual([]);
});

test('checkMachine() asks for kubectl for what stands around the lanes alone', () => {
  const bare = 'app: a\nservices: { p: { source: p, port: 80 } }\ninfra: { database: { manifests: deploy } }\n';
  const parsed = parseSpec(`${bare}${kubernetes}`, { file: 'headgate.yaml' });

  expect(parsed.kind === 'spec' && checkMachine(parsed.spec, { ...whole, kubectl: false })).toEqual([
    expect.objectContaining({ said: expect.stringContaining('must have kubectl') }),
  ]);
});

test('checkMachine() asks for no kubectl on one machine, and for no local servers on a cluster', () => {
  expect(checkMachine(spec(), { ...whole, kubectl: false })).toEqual([]);
  expect(checkMachine(spec(kubernetes), { ...whole, packages: ['haproxy'] })).toEqual([]);
});

test('lookAtMachine() finds nothing on an empty PATH, and what may not be written', async () => {
  const seen = await lookAtMachine('/nowhere', spec(), { PATH: '', HEADGATE_REGISTRY: '' });

  expect(seen).toMatchObject({ node: process.versions.node, kubectl: false, writable: false, set: new Set() });
});

test('checkMachine() asks for Ansible where live is changed in place, and there alone', () => {
  const canary = spec(kubernetes);
  const rolling: Spec = { ...canary, release: { ...canary.release, strategy: 'rolling' } };
  const facts = { ...whole, ansible: false };

  expect(checkMachine(canary, facts)).toEqual([]);
  expect(checkMachine(rolling, facts)).toEqual([
    {
      kind: 'missing',
      about: 'this machine',
      said: expect.stringContaining('must have ansible-playbook'),
      cure: expect.stringContaining('setup.sh'),
    },
  ]);
});

test('lookAtMachine() starts Python for an app whose live lane Ansible changes in place, and for no other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-doctor-'));
  const python = join(folder, 'python3');
  await writeFile(python, `#!/bin/sh\necho asked >> ${folder}/asked\n`, { mode: 0o755 });
  const canary = spec(kubernetes);
  const rolling: Spec = { ...canary, release: { ...canary.release, strategy: 'rolling' } };
  const asked = () => existsSync(join(folder, 'asked'));

  await lookAtMachine(folder, canary, { PATH: folder });
  expect(asked()).toBe(false);
  await lookAtMachine(folder, rolling, { PATH: folder });
  expect(asked()).toBe(true);
  await rm(folder, { recursive: true });
});

test('lookAtMachine() knows whether this kernel lets bubblewrap make namespaces, by its own words', async () => {
  const env = { PATH: process.env['PATH'] };
  expect((await lookAtMachine('/nowhere', spec(), env)).unboxed).toBeUndefined();

  // None is left to whoever has used up its number of them.
  const words = await promisify(execFile)('bwrap', [
    ...['--dev-bind', '/', '/', '--unshare-user', '--disable-userns'],
    ...['--', process.execPath, '--import', 'tsx', '--conditions=source', '--input-type=module', '-e', nested],
  ]);
  expect(words.stdout).toMatch(/^bwrap: .*namespace/);
});

const nested = `
  import { lookAtMachine } from '${join(import.meta.dirname, 'machine.ts')}';
  console.log((await lookAtMachine('/nowhere', { release: {} }, process.env)).unboxed);
`;
