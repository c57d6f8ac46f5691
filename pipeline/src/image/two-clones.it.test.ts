import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findServer } from '@headgate/rollout/servers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { git } from '../host/git.rig.ts';
import { age, copyOf } from './clone.rig.ts';

const bin = join(import.meta.dirname, '../../dist/cli/bin.js');
const services = ['proxy', 'rating'];
const app = `app: ratings
services:
  proxy: { source: services/proxy, port: 8080 }
  rating: { source: services/rating, pulls: [get.ratings] }
queue: { jetstream: nats://nats:4222 }
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hg-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function aClone(at: string): Promise<string> {
  const workspace = join(folder, at);
  for (const service of services) await copyOf(`services/${service}`, workspace);
  await writeFile(join(workspace, 'headgate.yaml'), app);
  await writeFile(join(workspace, 'package.json'), '{}');
  await writeFile(join(workspace, 'package-lock.json'), '{}');
  await writeFile(join(workspace, '.gitignore'), 'out/\n.headgate\nnode_modules\n');
  await git(workspace, 'init', '--quiet', '--initial-branch=main');
  await git(workspace, 'add', '--all');
  await git(workspace, 'commit', '--quiet', '--message', at);
  return workspace;
}

type Program = readonly [string, ...string[]];

/** @returns its exit code, and what it said */
async function headgate([program, ...args]: Program, cwd: string, ...words: readonly string[]) {
  const { path: HEADGATE_NATS_SERVER } = await findServer('nats-server');
  const HOME = join(cwd, '.home'); // With caches of its own.
  const env = { PATH: process.env['PATH'], HOME, HEADGATE_NATS_SERVER, HEADGATE_REGISTRY: '127.0.0.1:1/none' };
  return promisify(execFile)(program, [...args, ...words], { cwd, env }).then(
    () => '0',
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => `${code} ${stdout} ${stderr}`,
  );
}

/** Neither tests them nor asks the registry, of which there is none. */
async function imagesOf(workspace: string, program: Program): Promise<string[]> {
  await mkdir(join(workspace, '.home'));
  for (const service of services)
    expect(await headgate(program, workspace, 'run', 'images', '--skip-check', '--only', `image:${service}`)).toBe('0');
  const indexes = services.map((service) => readFile(join(workspace, 'out/images', service, 'index.json'), 'utf8'));
  return (await Promise.all(indexes)).map((text) => JSON.parse(text).manifests[0].digest);
}

/** With another time zone and umask, too. */
async function asUser(uid: string, passwd: readonly string[] = []): Promise<Program> {
  const { path } = await findServer('bwrap');
  const user = ['--unshare-user', '--uid', uid, '--gid', uid, '--setenv', 'TZ', 'Asia/Tokyo', '--die-with-parent'];
  const umask = ['sh', '-c', 'umask 077 && exec "$@"', 'sh'];
  return [path, '--dev-bind', '/', '/', ...passwd, ...user, ...umask, process.execPath, bin];
}

test('headgate makes equal images of two clones in two folders, at two times, under two umasks, by two users', async () => {
  const here = await aClone('here');
  const there = await aClone('far/there');
  await age(there);
  const passwd = join(folder, 'passwd');
  await writeFile(passwd, 'lee:x:4711:4711::/:/bin/sh\n');

  const first = await imagesOf(here, [process.execPath, bin]);
  const second = await imagesOf(there, await asUser('4711', ['--ro-bind', passwd, '/etc/passwd']));

  expect(second).toEqual(first);
  expect(first.every((digest) => /^sha256:[0-9a-f]{64}$/.test(digest))).toBe(true);
  expect(new Set(first).size).toBe(services.length);
}, 120_000);

test('headgate runs for a user whom no file knows, as containers of CI have them', async () => {
  expect(await headgate(await asUser('4712'), folder, '--help')).toBe('0');
});
