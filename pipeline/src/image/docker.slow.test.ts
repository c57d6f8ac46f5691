import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type RunningServer, running, tied } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { unless, whyWithout } from '../../ci/provide.rig.ts';
import { describeImageBuilder } from './image.contract.ts';
import { openImageBuilder } from './image.ts';

const run = promisify(execFile);
const packages = { docker: 'docker.io', dockerd: 'docker.io' };
const withoutRoot = process.getuid?.() === 0 ? undefined : 'only root may start a daemon of docker';
const withDocker = unless(withoutRoot ?? (await whyWithout(packages)), describe);

withDocker('with docker', () => {
  let daemon: RunningServer;
  beforeAll(async () => {
    daemon = await startDaemon();
    process.env['DOCKER_HOST'] = daemon.url;
  });
  afterAll(async () => await daemon[Symbol.asyncDispose]());

  describeImageBuilder('docker', (base) => openImageBuilder('docker', { base }));

  test('the daemon keeps no image of a build', async () => {
    const { stdout } = await run('docker', ['--host', daemon.url, 'image', 'ls', '--all', '--quiet']);

    expect(stdout).toBe('');
  });
});

/** A daemon of the test's own: it touches no network and no other daemon of the machine. */
async function startDaemon(): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-docker-'));
  const url = `unix://${join(folder, 'socket')}`;
  const config = {
    hosts: [url],
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    'storage-driver': 'vfs',
    bridge: 'none',
    ...{ iptables: false, ip6tables: false, 'ip-forward': false, 'ip-masq': false },
  };
  await writeFile(join(folder, 'daemon.json'), JSON.stringify(config));
  // What it mounts is gone with it, however it ends.
  const args = ['--mount', 'dockerd', '--config-file', join(folder, 'daemon.json')];
  const child = spawn(...tied('unshare', args), { stdio: ['ignore', 'ignore', 'pipe'] });
  return running(child, {
    name: 'dockerd',
    found: { path: 'dockerd', version: '' },
    url,
    ready: async () => (await run('docker', ['--host', url, 'version'])).stdout !== '',
    cleanUp: () => rm(folder, { recursive: true, force: true }),
  });
}
