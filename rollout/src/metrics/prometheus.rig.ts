import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../platform/local/servers/index.ts';

const run = promisify(execFile);

/** A real Prometheus that scrapes these targets every 200 ms. */
export async function startPrometheus(
  targets: readonly string[],
): Promise<AsyncDisposable & { readonly url: string; freeze(): Promise<void>; goOn(): void }> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-prometheus-'));
  const scrape = {
    job_name: 'lanes',
    scrape_interval: '200ms',
    scrape_timeout: '200ms',
    static_configs: [{ targets }],
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify({ scrape_configs: [scrape] })); // JSON is YAML.
  const address = `127.0.0.1:${await freePort()}`;
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ];
  const child = spawn(await findPrometheus(), args, { stdio: 'ignore' });
  for (const within = AbortSignal.timeout(20_000); ; await sleep(50, undefined, { signal: within })) {
    const isReady = await fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) break;
  }
  return {
    url: `http://${address}`,
    async freeze() {
      child.kill('SIGSTOP');
      // Its threads stop a little later than the call returns.
      while (!/^State:\s+T/m.test(await readFile(`/proc/${child.pid}/status`, 'utf8'))) await sleep(5);
    },
    goOn: () => void child.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** From HEADGATE_PROMETHEUS, the PATH, or Debian's package unpacked into the cache: nothing is installed. */
export async function findPrometheus(): Promise<string> {
  const named = process.env['HEADGATE_PROMETHEUS'];
  if (named !== undefined) return named;
  const folder = join(homedir(), '.cache', 'headgate', 'prometheus');
  const places = [...(process.env['PATH'] ?? '').split(delimiter), join(folder, 'usr', 'bin')];
  for (const place of places) if (await isThere(join(place, 'prometheus'))) return join(place, 'prometheus');
  await mkdir(join(homedir(), '.cache', 'headgate'), { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  await run('apt-get', ['download', 'prometheus'], { cwd: fresh, timeout: 120_000 });
  const [file] = (await readdir(fresh)).filter((name) => name.endsWith('.deb'));
  await run('dpkg-deb', ['-x', join(fresh, file!), join(fresh, 'root')]);
  await rename(join(fresh, 'root'), folder).catch(() => undefined); // Another test was faster.
  await rm(fresh, { recursive: true, force: true });
  return join(folder, 'usr', 'bin', 'prometheus');
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
