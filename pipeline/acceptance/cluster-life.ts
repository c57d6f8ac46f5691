import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { clearing } from './clearing.ts';
import { kubeCache } from './cluster/ground.ts';
import { repository } from './commands.ts';
import type { Report } from './report.ts';

const run = process.env['HEADGATE_KUBE_RUN'] ?? '/run/headgate-kube';
const lib = process.env['HEADGATE_KUBE_LIB'] ?? '/var/lib/headgate-kube';
/** After `cluster:up` began: with keys being made, with an API server alone, with half a node, nearly there. */
const interruptedAfterMs = [300, 1_500, 3_000, 5_000, 7_000];
const again = ['--gateways', '2'];

/** The scripts of the test cluster themselves; none may run. What they leave is compared with what was there before. */
export async function clusterLife(report: Report): Promise<void> {
  if (existsSync(run)) throw new Error('a cluster runs: `npm run cluster:down` first');
  const before = await traces();
  const down = clearing(async () => void (await script('down.sh', [])));
  try {
    for (const ms of interruptedAfterMs) await interrupted(ms, before, report);
    const first = await script('up.sh', again);
    report.check('it starts after all that', first.code === 0, `${first.ms} ms ${first.code === 0 ? '' : first.err}`);
    await secondTime(report);
    await taken(report);
    await abandonedNode(report);
  } finally {
    await down();
  }
  const left = await traces();
  report.check(
    'cluster:down leaves no process, mount, network namespace, link, route, table, cgroup, folder or setting',
    left === before,
    left === before ? '' : differences(before, left),
  );
}

async function interrupted(ms: number, before: string, report: Report): Promise<void> {
  const { child, ended } = start('up.sh', again);
  await sleep(ms);
  const asked = performance.now();
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT'); // As a terminal does it: the whole group hears of it.
  const { code } = await ended;
  const took = Math.round(performance.now() - asked);
  const left = await traces();
  report.check(
    `Ctrl-C ${ms} ms after cluster:up: it ends with 130 and leaves nothing`,
    code === 130 && left === before,
    `exit code ${code} after ${took} ms ${differences(before, left)}`,
  );
}

async function secondTime(report: Report): Promise<void> {
  const pids = await pidFiles();
  const second = await script('up.sh', again);
  const same = (await pidFiles()) === pids;
  report.check(
    'a second cluster:up leaves every process as it is',
    second.code === 0 && same && second.out.includes('# was running'),
    `${second.ms} ms ${second.code === 0 ? '' : second.err}`,
  );
}

/** A cluster that exists, in a folder of its own: it is looked at, and neither started nor ended. */
async function taken(report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-taken-'));
  const env = { HEADGATE_KUBE_RUN: join(folder, 'run') };
  try {
    const pids = await pidFiles();
    const took = await script('up.sh', ['--kubeconfig', join(run, 'admin.kubeconfig')], env);
    const told = await readFile(join(folder, 'run/cluster.json'), 'utf8').catch(() => '{}');
    report.check(
      '--kubeconfig takes the cluster that it leads to',
      took.code === 0 && JSON.parse(told).mode === 'taken',
      took.err.trim(),
    );
    const left = await script('down.sh', [], env);
    report.check(
      'and cluster:down leaves that as it is',
      left.code === 0 && !existsSync(env.HEADGATE_KUBE_RUN) && (await pidFiles()) === pids,
      left.err.trim(),
    );
    const nowhere = await script('up.sh', ['--kubeconfig', join(folder, 'none')], env);
    report.check(
      'a kubeconfig that is not there is named',
      isRefused(nowhere, join(folder, 'none')),
      nowhere.err.trim(),
    );
    for (const program of ['kind', 'k3d']) {
      const none = await script('up.sh', [`--${program}`, 'mine'], { ...env, PATH: '/usr/bin:/bin' });
      report.check(`--${program} says what is missing`, isRefused(none, `${program} is needed`), none.err.trim());
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a second node leaves whose script was killed: `cluster:down` has to find it. */
async function abandonedNode(report: Report): Promise<void> {
  const { child, ended } = start('node.sh', []);
  const up = await Promise.race([once(child.stdout, 'data').then(String), ended.then(({ err }) => err)]);
  child.kill('SIGKILL');
  await ended;
  report.check('a second node starts, and its script is killed', up.trim() === 'up', up.trim());
}

function isRefused({ code, err }: Scripted, words: string): boolean {
  return code !== 0 && err.includes(words);
}

type Scripted = { readonly code: number; readonly out: string; readonly err: string; readonly ms: number };

async function script(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Scripted> {
  return start(name, args, env).ended;
}

function start(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn('bash', [join(repository, 'pipeline/cluster', name), ...args], {
    detached: true,
    stdio: 'pipe',
    env: { ...process.env, ...env },
  });
  return { child, ended: endOf(child, performance.now()) };
}

async function endOf(child: ChildProcessWithoutNullStreams, begun: number): Promise<Scripted> {
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode ?? 128, out, err, ms: Math.round(performance.now() - begun) };
}

async function pidFiles(): Promise<string> {
  const names = (await readdir(join(run, 'pids')).catch(() => [])).sort();
  return (await Promise.all(names.map((name) => readFile(join(run, 'pids', name), 'utf8')))).join('');
}

/** Everything on this machine that a cluster makes, a line each. */
async function traces(): Promise<string> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter(isOurs);
  const nft = existsSync(join(kubeCache, 'bin/nft')) ? join(kubeCache, 'bin/nft') : 'nft';
  return [
    ...(await processes()),
    ...mounts,
    ...(await lines('ip', ['-oneline', 'link'], /: (hgk|veth)[^:]*:/)),
    ...(await lines('ip', ['route'], /10\.11[1234]\./)),
    ...(await lines('ip', ['netns', 'list'], /./)),
    ...(await lines(nft, ['list', 'tables'], /./)),
    ...(await lines('iptables-save', [], /KUBE|CNI|10\.11[1234]\./)),
    ...['kubepods', 'k8s.io', 'headgate-second'].flatMap((name) =>
      cgroupFolders.map((at) => join(at, name)).filter(existsSync),
    ),
    ...[run, lib].filter(existsSync),
    `ip_forward ${(await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim()}`,
  ].join('\n');
}

const cgroupFolders = ['', 'memory', 'cpu', 'cpu,cpuacct', 'pids', 'devices', 'systemd', 'freezer', 'blkio'].map(
  (name) => join('/sys/fs/cgroup', name),
);

function isOurs(words: string): boolean {
  return words.includes(`${run}/`) || words.includes(`${lib}/`);
}

async function processes(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const told = await Promise.all(
    pids.map(async (pid) => {
      const [exe, command, group] = await Promise.all([
        readlink(`/proc/${pid}/exe`).catch(() => ''),
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
        readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => ''),
      ]);
      const isOne = exe.startsWith(`${kubeCache}/`) || isOurs(command) || group.includes('kubepods');
      return isOne ? [`process ${pid} ${command.replaceAll('\0', ' ').slice(0, 80)}`] : [];
    }),
  );
  return told.flat();
}

/** A program that is not there has made nothing. */
async function lines(program: string, args: readonly string[], which: RegExp): Promise<readonly string[]> {
  try {
    const { stdout } = await promisify(execFile)(program, args);
    return stdout.split('\n').filter((line) => which.test(line));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function differences(before: string, after: string): string {
  const known = new Set(before.split('\n'));
  const left = after.split('\n').filter((line) => !known.has(line));
  return left.length === 0 ? '' : `left: ${left.slice(0, 5).join('; ')}`;
}
