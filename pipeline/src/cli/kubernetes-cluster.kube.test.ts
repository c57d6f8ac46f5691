import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { kubectlEnv, readCluster } from './cluster.rig.ts';
import { aShell, shopOnKubernetes } from './shell.rig.ts';

test('cluster up takes the cluster that the kubeconfig names, says which, and makes nothing; down leaves it alone', async () => {
  const { kubeconfig } = readCluster();
  await using shell = await aShell(
    { 'headgate.yaml': shopOnKubernetes },
    { ...kubectlEnv, HEADGATE_KUBECONFIG: undefined },
  );
  const cluster = (...words: string[]) => shell.run('cluster', ...words, '--kubeconfig', kubeconfig);

  const up = await cluster('up');
  const info = await cluster('info', '--json');
  const down = await cluster('down');
  const still = await cluster('up', '--plan');

  const words = /^takes the cluster of context "x", https:\/\/\S+, Kubernetes v1\.\d+\.\d+: nothing was made\n$/;
  expect([up.code, up.out, up.err]).toEqual([0, expect.stringMatching(words), '']);
  expect(JSON.parse(info.out)).toMatchObject({ context: 'x', made: false, running: true });
  expect([down.code, down.err]).toEqual([
    12,
    expect.stringContaining('the cluster of context "x" as Headgate did not make it'),
  ]);
  expect([still.code, still.out]).toEqual([0, up.out]);
  expect(await readdir(shell.cwd)).toEqual(['headgate.yaml']);
});

test('where none answers and neither k3d nor kind is there, one line says what to install', async () => {
  const [, kubectl = ''] = /^([^:]*)/.exec(kubectlEnv.PATH) ?? [];
  await using shell = await aShell({ 'headgate.yaml': shopOnKubernetes }, { PATH: kubectl, HOME: '/nowhere' });
  const dead = join(shell.cwd, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:1' } };
  const users = [{ name: 'u', user: { token: 'none' } }]; // Without one kubectl asks its terminal.
  const context = { name: 'x', context: { cluster: 'c', user: 'u' } };
  await writeFile(
    dead,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [cluster],
      users,
      contexts: [context],
      'current-context': 'x',
    }),
  );

  const silent = await shell.run('cluster', 'up', '--kubeconfig', dead);
  const none = await shell.run('cluster', 'up');
  const down = await shell.run('cluster', 'down');

  expect([silent.code, silent.err]).toEqual([
    69,
    expect.stringMatching(
      /^the cluster of context "x" does not answer\nCannot .* as k3d or kind must be on the PATH\n {2}install k3d .*\n$/,
    ),
  ]);
  expect([none.code, none.err]).toEqual([69, expect.stringMatching(/^Cannot .* as k3d or kind must be on the PATH\n/)]);
  expect([down.code, down.out]).toEqual([0, 'nothing to do: Headgate has made no cluster here\n']);
});
