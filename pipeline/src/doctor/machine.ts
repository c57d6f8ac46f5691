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
  /** Whether Ansible is there, or can be made by Python. */
  readonly ansible: boolean;
  /** Debian packages of servers of the local platform that are not there. */
  readonly packages: readonly string[];
  /** Whether this user may write beside headgate.yaml. */
  readonly writable: boolean;
  /** Whether there is the locale that Ansible is run in. */
  readonly utf8: boolean;
  /** Whether a docker daemon answers that has its usual network. */
  readonly docker: boolean;
  /** What puts images together. */
  readonly builder: string;
  /** Variables that have a value. */
  readonly set: ReadonlySet<string>;
};

type Env = Readonly<Record<string, string | undefined>>;

export async function lookAtMachine(folder: string, env: Env): Promise<MachineFacts> {
  const may = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
  return {
    node: process.versions.node,
    git: onPath('git', env) !== undefined,
    kubectl: onPath('kubectl', env) !== undefined,
    ansible:
      onPath('ansible-playbook', env) !== undefined ||
      (await answerOf('python3', ['-c', 'import ensurepip, venv'], env)) !== undefined,
    packages: missingPackages(env),
    writable: may,
    // Where nobody can say which there are, there is no reason to complain.
    utf8: /^C\.utf-?8$/im.test((await answerOf('locale', ['-a'], env)) ?? 'C.utf8'),
    docker: (await answerOf('docker', ['network', 'inspect', 'bridge'], env)) !== undefined,
    builder: env['HEADGATE_BUILDER'] || 'oci',
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

const about = 'this machine';

export function checkMachine(spec: Spec, facts: MachineFacts): readonly Finding[] {
  const { packages, set } = facts;
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
    ...when(
      isLocal && packages.length > 0,
      missing(
        about,
        `must have the servers of the local platform, and lacks ${packages.join(', ')}`,
        `apt-get install -y ${packages.join(' ')}`,
      ),
    ),
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
  ];
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < 20 || (major === 20 && minor < 19);
}

function when(holds: boolean, finding: Finding): readonly Finding[] {
  return holds ? [finding] : [];
}
