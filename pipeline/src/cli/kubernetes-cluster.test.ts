/** By the command lines alone: k3d, kind and docker are stand-ins that note what they are asked and remember which containers there are. */
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { aShell, shopOnKubernetes } from './shell.rig.ts';

/** Each container is a file with its id. */
const programs = {
  docker: `case "$1 $2" in
'ps --all') name=\${5#name=^/?}; cat "$CONTAINERS/\${name%?}" 2> /dev/null; exit 0 ;;
'inspect --format') case $3 in *Running*) echo true ;; *) cat "$CONTAINERS/$4" ;; esac ;;
'run --detach') [ ! -e "$CONTAINERS/$9" ] || { echo "the name is taken" >&2; exit 125; }; echo "id-$9" > "$CONTAINERS/$9" ;;
'rm --force') rm "$CONTAINERS/$4" ;;
esac`,
  k3d: `case "$1 $2" in
'cluster list') echo "[$(cd "$CONTAINERS" && ls | sed -n 's/^k3d-\\(.*\\)-server-0$/{"name":"\\1"}/p' | paste -sd,)]" ;;
'cluster create') echo "id-$3" > "$CONTAINERS/k3d-$3-server-0" ;;
'cluster delete') rm "$CONTAINERS/k3d-$3-server-0" ;;
esac`,
  kind: `case "$1 $2" in
'get clusters') cd "$CONTAINERS" && ls | sed -n 's/-control-plane$//p' ;;
'get nodes') echo "$4-control-plane" ;;
'create cluster') [ "$4" != broken ] || { echo "no disk" >&2; exit 1; }; echo "id-$4" > "$CONTAINERS/$4-control-plane" ;;
'delete cluster') rm "$CONTAINERS/$4-control-plane" ;;
esac`,
};

async function aGround(tools: readonly (keyof typeof programs)[] = ['docker', 'k3d', 'kind']) {
  const env: Record<string, string> = {};
  const shell = await aShell({ 'headgate.yaml': shopOnKubernetes }, env);
  const [bin, containers, log] = ['bin', 'containers', 'log'].map((name) => join(shell.cwd, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(bin);
  await mkdir(containers);
  for (const tool of tools) {
    const note = `in=$([ "$1 $2" = "create cluster" ] || [ "$1 $2" = "exec --interactive" ] && cat)`;
    const noted = `printf '%s\\n' "${tool} $*\${in:+ < $in}" >> "${log}"`;
    await writeFile(join(bin, tool), `#!/bin/sh\n${note}\n${noted}\n${programs[tool]}\n`);
    await chmod(join(bin, tool), 0o755);
  }
  // And nothing else: a docker of this machine would answer.
  for (const name of ['cat', 'ls', 'paste', 'rm', 'sed']) await symlink(`/usr/bin/${name}`, join(bin, name));
  Object.assign(env, { PATH: bin, CONTAINERS: containers, HEADGATE_CACHE_KEY: 'a secret' });
  return {
    ...shell,
    cluster: (...words: string[]) => shell.run('cluster', ...words),
    containers,
    /** What changed something; questions are left out. */
    async acts() {
      const lines = (await readFile(log, 'utf8').catch(() => ''))
        .split(/\n(?=docker |k3d |kind )/)
        .map((line) => line.trimEnd());
      await rm(log, { force: true });
      return lines.filter((line) => line !== '' && !/^(docker (ps|inspect)|k3d cluster list|kind get) /.test(line));
    },
    [Symbol.asyncDispose]: () => shell[Symbol.asyncDispose](),
  };
}

const portIn = (out: string) => /localhost:(\d+)/.exec(out)?.[1] ?? '';

test('cluster up makes one by k3d with a registry that both sides know by one name; stop, start and down go by what was made', async () => {
  await using ground = await aGround();

  const up = await ground.cluster('up', '--k3d', 'shop');
  const port = portIn(up.out);
  const made = await ground.acts();
  const config = join(ground.cwd, '.headgate/k3d-registries.yaml');
  const again = await ground.cluster('up', '--k3d', 'shop', '--json');
  const started = await ground.acts();
  const info = await ground.cluster('info');
  const stop = await ground.cluster('stop');
  const stopped = await ground.acts();
  const down = await ground.cluster('down');
  const gone = await ground.acts();

  expect([up.code, up.out]).toEqual([
    0,
    `cluster   k3d cluster "shop", runs\ncontext   k3d-shop\nregistry  localhost:${port}: export HEADGATE_REGISTRY=localhost:${port}/shop\n`,
  ]);
  expect(made).toEqual([
    `k3d cluster create shop --registry-create shop-registry:127.0.0.1:${port} --registry-config ${config} --wait --timeout 5m`,
  ]);
  expect(await readFile(config, 'utf8')).toBe(
    `mirrors:\n  "localhost:${port}":\n    endpoint:\n      - http://shop-registry:5000\n`,
  );
  expect(JSON.parse(again.out)).toEqual({
    ...{ tool: 'k3d', name: 'shop', context: 'k3d-shop', registry: `localhost:${port}`, made: true, running: true },
  });
  expect(started).toEqual([
    'k3d cluster start shop --wait',
    'k3d kubeconfig merge shop --kubeconfig-merge-default --kubeconfig-switch-context',
  ]);
  expect([info.code, info.out]).toEqual([0, up.out]);
  expect([stop.code, stopped]).toEqual([0, ['k3d cluster stop shop']]);
  expect([down.code, gone]).toEqual([0, ['k3d cluster delete shop']]);
});

test('cluster up makes one by kind as its documentation says, with a registry beside it that goes with it', async () => {
  await using ground = await aGround();

  const up = await ground.cluster('up', '--kind', 'shop');
  const port = portIn(up.out);
  const made = await ground.acts();
  await ground.cluster('stop');
  await ground.cluster('start');
  const between = await ground.acts();
  const down = await ground.cluster('down');

  const patch = '[plugins."io.containerd.grpc.v1.cri".registry]\n    config_path = "/etc/containerd/certs.d"';
  const folder = `/etc/containerd/certs.d/localhost:${port}`;
  expect([up.code, made]).toEqual([
    0,
    [
      `docker run --detach --restart=always --publish 127.0.0.1:${port}:5000 --network bridge --name shop-registry registry:2`,
      expect.stringMatching(/^kind create cluster --name shop --wait 5m --config - < kind: Cluster\n/),
      `docker exec shop-control-plane mkdir -p ${folder}`,
      `docker exec --interactive shop-control-plane cp /dev/stdin ${folder}/hosts.toml < [host."http://shop-registry:5000"]`,
      'docker network connect kind shop-registry',
    ],
  ]);
  expect(made[1]).toContain(patch);
  expect(between).toEqual([
    'docker stop shop-control-plane shop-registry',
    'docker start shop-registry shop-control-plane',
    'kind export kubeconfig --name shop',
  ]);
  expect(down.code).toBe(0);
  expect(await ground.acts()).toEqual(['kind delete cluster --name shop', 'docker rm --force --volumes shop-registry']);
});

test('a cluster that Headgate did not make is started, and never stopped or taken down', async () => {
  await using ground = await aGround();
  await writeFile(join(ground.containers, 'theirs-control-plane'), 'id-of-theirs\n');

  const up = await ground.cluster('up', '--kind', 'theirs');
  const started = await ground.acts();
  const refused = [];
  for (const verb of ['stop', 'down', 'start']) refused.push(await ground.cluster(verb, '--kind', 'theirs'));

  expect([up.code, up.out]).toEqual([0, expect.stringContaining('Headgate did not make it')]);
  expect(started).toEqual(['docker start theirs-control-plane', 'kind export kubeconfig --name theirs']);
  expect(refused.map(({ code }) => code)).toEqual([12, 12, 12]);
  expect(refused[1]?.err).toMatch(/^Cannot take down kind cluster "theirs" as Headgate did not make it from here\n/);
  expect(await ground.acts()).toEqual([]);
});

test('one that somebody has made anew under the same name is somebody else’s', async () => {
  await using ground = await aGround();
  await ground.cluster('up', '--k3d', 'shop');
  await writeFile(join(ground.containers, 'k3d-shop-server-0'), 'another id\n');
  await ground.acts();

  const down = await ground.cluster('down');

  expect([down.code, down.err]).toEqual([12, expect.stringContaining('another cluster has its name now')]);
  expect(await ground.acts()).toEqual([]);
});

test('one that somebody took down leaves nothing behind, and can be made again', async () => {
  await using ground = await aGround();
  await ground.cluster('up', '--kind', 'shop');
  await rm(join(ground.containers, 'shop-control-plane'));
  await ground.acts();

  const again = await ground.cluster('up', '--kind', 'shop');
  const acts = await ground.acts();
  await rm(join(ground.containers, 'shop-control-plane'));
  const down = await ground.cluster('down');

  expect([again.code, acts.slice(0, 2)]).toEqual([
    0,
    ['docker rm --force --volumes shop-registry', expect.stringMatching(/^docker run /)],
  ]);
  expect([down.code, await ground.acts()]).toEqual([0, ['docker rm --force --volumes shop-registry']]);
});

test('what a tool refuses is said, and the registry that was to go with it is taken away', async () => {
  await using ground = await aGround();

  const { code, err } = await ground.cluster('up', '--kind', 'broken');

  expect([code, err]).toEqual([1, expect.stringContaining('--config -` says: no disk\n')]);
  expect((await ground.acts()).at(-1)).toBe('docker rm --force --volumes broken-registry');
});

test('cluster up --plan says the command lines, and runs none', async () => {
  await using ground = await aGround();

  const { code, out } = await ground.cluster('up', '--k3d', 'shop', '--plan');
  const json = JSON.parse((await ground.cluster('up', '--k3d', 'shop', '--plan', '--json')).out);

  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^would run: k3d cluster create shop --registry-create \S+ .*\n$/),
  ]);
  expect(json).toMatchObject({
    plan: [expect.stringMatching(/^k3d cluster create shop /)],
    made: true,
    running: false,
  });
  expect(await ground.acts()).toEqual([]);
});

test.each([
  { tools: ['docker'], words: ['--kind', 'shop'], code: 69, says: 'kind must be on the PATH' },
  { tools: ['k3d'], words: ['--k3d', 'shop'], code: 69, says: 'docker must be on the PATH' },
  { tools: [], words: ['--k3d', 'Shop!'], code: 64, says: 'current value is "Shop!"' },
  { tools: [], words: ['--k3d', 'a', '--kind', 'b'], code: 64, says: 'and not by both' },
] as const)('cluster up $words exits $code: $says', async ({ tools, words, code, says }) => {
  await using ground = await aGround(tools);

  const ran = await ground.cluster('up', ...words);

  expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(says)]);
});

test('a name for a cluster is no word for the local platform', async () => {
  await using shell = await aShell({
    'headgate.yaml': shopOnKubernetes.slice(0, shopOnKubernetes.indexOf('kubernetes:')),
  });

  const { code, err } = await shell.run('cluster', 'up', '--kind', 'shop');
  const planned = await shell.run('cluster', 'up', '--plan');

  expect([code, err]).toEqual([64, expect.stringContaining('names no cluster')]);
  expect([planned.code, planned.out]).toEqual([0, 'would start the local platform\n']);
});
