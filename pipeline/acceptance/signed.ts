import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry } from '@headgate/rollout/servers';
import { edit } from '../src/demo/versions.ts';
import { repository } from './commands.ts';
import { acted, failures, headgate, type Ran } from './from-sources.ts';
import { commit, deliver, type Hosts, handler, openHosts, stateOf } from './hosts.ts';
import type { Report } from './report.ts';

const password = 'correct horse 4711';
/** `htpasswd -Bbn kim <password>` */
const account = 'kim:$2y$05$0qq7q6ysr/D89iYz33c0Ze0eOX/Jbk8aYJMR4pQGbY1oRoyfO4jb2\n';

/** A whole delivery to a registry with a login, signed: what nobody has signed, or somebody else, goes nowhere. */
export async function signed(report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-signed-'));
  const path = join(folder, 'htpasswd');
  await writeFile(path, account);
  await using registry = await startRegistry({ folder, auth: { htpasswd: { realm: 'acceptance', path } } });
  await using hosts = await openHosts('s');
  try {
    await asWorkspace(hosts.a);
    await play(report, hosts, new URL(registry.url).host);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** npm lists what is in an image by the packages that lie in the workspace. */
async function asWorkspace(folder: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as object;
  const whole = { ...manifest, name: 'ratings', version: '1.0.0', workspaces: ['services/*'] };
  await writeFile(join(folder, 'package.json'), JSON.stringify(whole));
  await writeFile(join(folder, '.gitignore'), 'out/\n.headgate\nnode_modules\n');
  const [all, packages] = [join(repository, 'node_modules'), join(folder, 'node_modules')];
  const foreign = ['.package-lock.json', '.cache']; // Of another workspace, and of programs that may write there just now.
  const names = (await readdir(all)).filter((name) => !foreign.includes(name));
  await mkdir(packages);
  await promisify(execFile)('cp', ['-al', ...names.map((name) => join(all, name)), packages]);
}

async function play(report: Report, hosts: Hosts, host: string): Promise<void> {
  const { a } = hosts;
  const [ours, theirs] = [keys(), keys()];
  const login = {
    HEADGATE_REGISTRY: `${host}/ratings`,
    HEADGATE_REGISTRY_USER: 'kim',
    HEADGATE_REGISTRY_TOKEN: password,
  };
  const given = { ...login, HEADGATE_VERIFY_KEY: ours.open };
  await commit(a, 'a workspace');

  const first = await deliver(a, { env: { ...given, HEADGATE_SIGNING_KEY: ours.secret } });
  report.check('a delivery that signs and verifies is released', first.code === 0, failures(first));
  report.check('it published and signed', acted(first).includes('publish sign release'), acted(first));
  const again = await deliver(a, { env: { ...given, HEADGATE_SIGNING_KEY: ours.secret } });
  report.check('again it does nothing', again.code === 0 && acted(again) === '', acted(again));

  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: 'const LIMIT_DEFAULT = 101;' });
  await commit(a, 'another version');
  const before = await stateOf(hosts);
  const locked = await deliver(a, { env: { ...given, HEADGATE_REGISTRY_TOKEN: 'a wrong one' } });
  const named = locked.all.includes(`${host}/ratings/`) && locked.all.includes('HEADGATE_REGISTRY_USER');
  report.check(
    'a wrong password ends with 69 and names repository and variable',
    locked.code === 69 && named,
    failures(locked),
  );
  const unsigned = await deliver(a, { env: given });
  report.check('one that nobody signed exits 12, by its release', isRefused(unsigned, 'UNSIGNED'), failures(unsigned));
  const foreign = await deliver(a, { env: { ...given, HEADGATE_SIGNING_KEY: theirs.secret } });
  report.check('one that another key signed does, too', isRefused(foreign, 'UNSIGNED'), failures(foreign));
  const tagged = await headgate(
    { cwd: a, env: given },
    'release',
    `rating=${host}/ratings/rating:latest`,
    '--reason',
    'a tag',
  );
  report.check('a tag instead of a digest exits 12', tagged.code === 12, tagged.all.trim().slice(-300));
  report.check('and nothing was touched: journal and processes are what they were', (await stateOf(hosts)) === before);

  const last = await deliver(a, { env: { ...given, HEADGATE_SIGNING_KEY: ours.secret } });
  report.check('signed by the right key it is released', last.code === 0, failures(last));
  const words = [locked, first, unsigned, foreign, last].map(({ all }) => all).join('');
  const secrets = [password, Buffer.from(`kim:${password}`).toString('base64'), ...ours.secret.split('\n').slice(1, 2)];
  report.check('no text shows password or key', !secrets.some((secret) => words.includes(secret)));
}

function keys(): { readonly secret: string; readonly open: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    secret: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    open: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

function isRefused(ran: Ran, code: string): boolean {
  const failed = ran.events.filter(({ kind }) => kind === 'step.fail');
  return ran.code === 12 && failed[0]?.['step'] === 'release' && JSON.stringify(failed[0]).includes(code);
}
