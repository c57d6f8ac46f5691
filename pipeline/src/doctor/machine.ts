/** What this machine needs before anything is done on it. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Finding, hint, missing, type Spec } from '@headgate/rollout';
import { missingPackages, onPath } from '@headgate/rollout/servers';
import { ansibleCure } from '../deploy/ansible.ts';

export type MachineFacts = {
  readonly node: string;
  readonly git: boolean;
  readonly kubectl: boolean;
  /** Whether Ansible is there, or can be made by Python; so it is where nothing is done by it. */
  readonly ansible: boolean;
  /** Debian packages of the servers and tools that lanes and tests of images run in, and that are not there. */
  readonly packages: readonly string[];
  /** What bubblewrap says that may make no box here; `undefined`: it may, or is not there. */
  readonly unboxed: string | undefined;
  /** Whether this user may write beside headgate.yaml. */
  readonly writable: boolean;
  /** Whether there is the locale that Ansible is run in; as `ansible`. */
  readonly utf8: boolean;
  /** Whether a docker daemon answers that has its usual network; so it does where it is not asked to build. */
  readonly docker: boolean;
  readonly buildah: boolean;
  /** What puts images together. */
  readonly builder: string;
  /** Variables that have a value. */
  readonly set: ReadonlySet<string>;
};

type Env = Readonly<Record<string, string | undefined>>;

/** What the app does not use is not looked for, unless that costs nothing. */
export async function lookAtMachine(
  folder: string,
  { release: { strategy } }: Pick<Spec, 'release'>,
  env: Env,
): Promise<MachineFacts> {
  const rolls = strategy === 'rolling';
  const builder = env['HEADGATE_BUILDER'] || 'oci';
  const may = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  return {
    node: process.versions.node,
    git: onPath('git', env) !== undefined,
    kubectl: onPath('kubectl', env) !== undefined,
    ansible:
      !rolls ||
      onPath('ansible-playbook', env) !== undefined ||
      (await answerOf('python3', ['-c', 'import ensurepip, venv'], env)) !== undefined,
    packages: missingPackages(env),
    unboxed: await unboxed(env),
    writable: may,
    // Where nobody can say which there are, there is no reason to complain.
    utf8: !rolls || /^C\.utf-?8$/im.test((await answerOf('locale', ['-a'], env)) ?? 'C.utf8'),
    docker: builder !== 'docker' || (await answerOf('docker', ['network', 'inspect', 'bridge'], env)) !== undefined,
    buildah: onPath('buildah', env) !== undefined,
    builder,
    set: new Set(Object.keys(env).filter((name) => (env[name] ?? '') !== '')),
  };
}

const answerMaxMs = 5_000;

/** `undefined` if there is no such program, or it says no. */
async function answerOf(program: string, words: readonly string[], env: Env): Promise<string | undefined> {
  return await promisify(execFile)(program, [...words], { env: { ...env }, timeout: answerMaxMs }).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

/** Asked as a lane's process is started: with a namespace of users and of processes of its own. */
async function unboxed(env: Env): Promise<string | undefined> {
  const bwrap = env['HEADGATE_BWRAP'] || onPath('bwrap', env);
  if (bwrap === undefined) return undefined;
  const box = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--unshare-user', '--unshare-pid'];
  return await promisify(execFile)(bwrap, [...box, '--', 'true'], { env: { ...env }, timeout: answerMaxMs }).then(
    () => undefined,
    ({ stderr, message }: Error & { stderr?: string }) => stderr?.trim() || message,
  );
}

const about = 'this machine';

/** Packages without which no image can be tested; the other ones are for the lanes of one machine. */
const testing: ReadonlySet<string> = new Set(['bubblewrap', 'docker-registry']);

export function checkMachine(spec: Spec, facts: MachineFacts): readonly Finding[] {
  const { set } = facts;
  const isLocal = spec.kubernetes === undefined;
  return [
    ...when(
      isOld(facts.node),
      missing(
        about,
        `must have Node 20.19 or newer: current value is "${facts.node}"`,
        'install a newer Node (https://nodejs.org)',
      ),
    ),
    ...checkTools(spec, facts),
    ...checkServers(isLocal, facts),
    ...when(
      !facts.writable,
      missing(
        about,
        'must be able to write beside headgate.yaml: caches, reports and the state of the local platform lie there',
        'give this user the right, or work in a copy',
      ),
    ),
    ...when(
      !isLocal && !set.has('HEADGATE_REGISTRY'),
      hint(
        about,
        'publishes images where no cluster finds them, as HEADGATE_REGISTRY is not set',
        'set it to host/prefix of a registry that the cluster pulls from',
      ),
    ),
    ...when(
      !set.has('HEADGATE_VERIFY_KEY'),
      hint(
        about,
        'releases images that nobody has signed, as HEADGATE_VERIFY_KEY is not set',
        'set it to the public half of the key that CI signs with',
      ),
    ),
  ];
}

/** On a cluster only the machine that builds needs them, which may be another one. */
function checkServers(isLocal: boolean, { packages, unboxed: words }: MachineFacts): readonly Finding[] {
  const lacking = packages.filter((name) => isLocal || testing.has(name));
  const tell = isLocal ? missing : hint;
  const what = isLocal ? 'must have the servers of the local platform' : 'tests no image before a release';
  return [
    ...when(
      lacking.length > 0,
      tell(about, `${what}, and lacks ${lacking.join(', ')}`, `apt-get install -y ${lacking.join(' ')}`),
    ),
    ...when(
      words !== undefined,
      tell(
        about,
        `must let bubblewrap make namespaces of users and processes, in which images are tested${isLocal ? ' and lanes run' : ''}: current value is "${words}"`,
        'as root `sysctl -w kernel.unprivileged_userns_clone=1` or, on Ubuntu, `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; a container needs `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`',
      ),
    ),
  ];
}

function checkTools(spec: Spec, facts: MachineFacts): readonly Finding[] {
  const { services, infra, frontend, kubernetes, release } = spec;
  const folders = [...Object.values(services), ...Object.values(infra), { manifests: frontend }];
  const renders = kubernetes !== undefined && folders.some(({ manifests }) => manifests !== undefined);
  return [
    ...when(
      !facts.git,
      missing(about, 'must have git, by which `run` knows what a change brought', 'install it: apt-get install -y git'),
    ),
    ...when(
      renders && !facts.kubectl,
      missing(
        about,
        'must have kubectl, which renders the manifests that headgate.yaml names',
        'install it (https://kubernetes.io/docs/tasks/tools)',
      ),
    ),
    ...when(
      release.strategy === 'rolling' && !facts.ansible,
      missing(
        about,
        'must have ansible-playbook, by which a rolling update is carried out, or Python with venv to install it',
        ansibleCure,
      ),
    ),
    ...when(
      release.strategy === 'rolling' && !facts.utf8,
      missing(
        about,
        'must have the locale C.UTF-8, as Ansible refuses to run in any that is not UTF-8',
        'add it: apt-get install -y locales && localedef -i C -f UTF-8 C.UTF-8',
      ),
    ),
    ...when(
      facts.builder === 'docker' && !facts.docker,
      missing(
        about,
        'must have a docker daemon that answers and has its network "bridge", as HEADGATE_BUILDER is docker',
        'start it, give this user the right to it (`docker network inspect bridge` says what is wrong), or unset HEADGATE_BUILDER',
      ),
    ),
    ...when(
      facts.builder === 'buildah' && !facts.buildah,
      missing(
        about,
        'must have buildah, as HEADGATE_BUILDER is buildah',
        'apt-get install -y buildah, or unset HEADGATE_BUILDER',
      ),
    ),
  ];
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < 20 || (major === 20 && minor < 19);
}

function when(holds: boolean, finding: Finding): readonly Finding[] {
  return holds ? [finding] : [];
}
