/** The rolling update by the hand of Ansible: what the playbook is told, and how it is run. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ApplyRoll, describeRoll, HeadgateError, openKubeClient, type Spec } from '@headgate/rollout';
import { tied } from '@headgate/rollout/servers';
import { clusterEnvironment } from '../run/environment.ts';
import { hiddenInside } from '../run/hidden.ts';
import { redactor } from '../run/redact.ts';
import { secretsOf } from '../run/secrets.ts';
import { openShell } from '../run/shell.ts';
import { LogSpool } from '../run/spool.ts';
import { ansibleFolder, withAnsible } from './ansible.ts';
import { handOver } from './hand-over.ts';
import { linesOf } from './played.ts';

export type Playing = {
  readonly spec: Spec;
  /** Where reports go: the folder of headgate.yaml. */
  readonly root: string;
  /** Options by which the commands that the playbook runs in another folder find the same app. */
  readonly options: readonly string[];
  readonly actor: string;
  /** Says what it would change, and changes nothing. */
  readonly check: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears what Ansible says, line by line. */
  readonly say: (line: string) => void;
};

/** Refuses before anything is on record. @throws {HeadgateError} `USAGE` for an app without a cluster, `TOOL_MISSING` */
export async function byAnsible(playing: Playing, signal: AbortSignal): Promise<ApplyRoll> {
  const { spec, options, actor, say } = playing;
  const { app, kubernetes, queue } = spec;
  if (kubernetes === undefined) {
    throw new HeadgateError('USAGE', `Cannot roll ${app} as its headgate.yaml names no cluster`, {
      hint: 'run `headgate release`',
    });
  }
  const env = await withAnsible(playing.env, say, signal);
  const { namespace } = kubernetes;
  return async ({ lane, revision, fence }, signal) => {
    using client = openKubeClient({ namespace });
    const services = await describeRoll(
      client,
      { app, lane, revision, fence, existing: queue?.existing, natsUrl: queue?.url },
      signal,
    );
    const variables = {
      headgate_command: [process.execPath, ...process.execArgv, process.argv[1]],
      headgate_options: options,
      service_deploy_plan: { app, namespace, lane, holder: actor, services },
    };
    return play(variables, { ...playing, env }, signal);
  };
}

/**
 * Whether it ended well. Variables are handed over in a file: a command line is for all to see. What Ansible writes lies in a folder of our
 * own until it has no secrets any more, neither ours nor those of the services, which are in what it compares.
 */
async function play(variables: object, { check, root, env, say }: Playing, signal: AbortSignal): Promise<boolean> {
  const work = await mkdtemp(join(tmpdir(), 'headgate-play-'));
  const reports = [
    { from: join(work, 'roll'), to: join(root, 'out', 'roll') },
    { from: join(work, 'junit'), to: env['JUNIT_OUTPUT_DIR'] ?? join(root, 'out', 'junit') },
  ] as const;
  const [roll, junit] = reports;
  const hide = redactor({ ...secretsOf(env), ...Object.fromEntries(hiddenInside(variables).entries()) });
  const redact = (text: string) => hide(text).replaceAll(roll.from, roll.to); // Where people will find it.
  try {
    const file = join(work, 'variables.json');
    await writeFile(file, JSON.stringify({ ...variables, service_deploy_report: roll.from }), { mode: 0o600 });
    using spool = new LogSpool({ file: join(work, 'log'), redact, onLine: say });
    await using told = listenTo((line) => linesOf(line).forEach((words) => void spool.log(words)));
    const own = { ...settings(clusterEnvironment(env)), JUNIT_OUTPUT_DIR: junit.from };
    await using shell = await openShell({ root, env: own, spool: told, signal });
    const flags = ['--extra-vars', `@${file}`, '--diff', ...(check ? ['--check'] : [])];
    // Without us it has no lock. By `exec` it is our own child and no shell's.
    const command = tied('ansible-playbook', [join(ansibleFolder, 'deploy.yml'), ...flags]).flat();
    return (await shell.$`exec ${command}`.nothrow()).exitCode === 0;
  } finally {
    for (const report of reports) await handOver(report, redact);
    await rm(work, { recursive: true, force: true });
  }
}

/** Whole lines of a command, however long: an event of Ansible has in it all that a task had in hand. Disposed of when all are told. */
function listenTo(onLine: (line: string) => void) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  for (const input of Object.values(streams)) createInterface({ input }).on('line', onLine);
  return {
    write: (stream: keyof typeof streams, chunk: Uint8Array) => void streams[stream].write(chunk),
    log: () => {}, // The command itself: its variables lie in a file.
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(streams).map((stream) => finished(stream.end())));
    },
  };
}

/** What is set in the environment already stays so, but for the locale and the form in which we are told. */
function settings(env: Playing['env']): Readonly<Record<string, string | undefined>> {
  return {
    ANSIBLE_CONFIG: join(ansibleFolder, 'ansible.cfg'),
    // The same cluster as Headgate's own.
    K8S_AUTH_KUBECONFIG: env['HEADGATE_KUBECONFIG'] ?? env['KUBECONFIG'],
    ...env,
    ANSIBLE_STDOUT_CALLBACK: 'ansible.posix.jsonl',
    LC_ALL: 'C.UTF-8', // Ansible refuses any locale that is not UTF-8 and installed.
  };
}
