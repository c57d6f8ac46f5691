import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCodes, HeadgateError, isHeadgateError } from '@headgate/rollout/errors';
import type { Call, Shell, Subcommand } from './shell.ts';
import { paint } from './shell.ts';

/** Every subcommand, with its line in the help. Loaded when called, so that `--help` and `status` start fast. */
export const subcommands = {
  demo: {
    load: () => import('./demo.ts'),
    summary: 'the whole story on this machine: a good release promoted, a bad one rolled back',
  },
  run: {
    load: () => import('./run.ts'),
    summary: 'run a target: check, images, publish, staging, perf, production; deliver is all that apply',
  },
  perf: {
    load: () => import('./perf.ts'),
    summary: 'the performance gate by hand: is what lies here slower than live',
  },
  approve: { load: () => import('./approve.ts'), summary: 'say yes, or no, to a revision that a delivery asks about' },
  release: { load: () => import('./release.ts'), summary: 'start a release of given digests' },
  status: {
    load: () => import('./status.ts'),
    summary: 'what serves, what is released, why it is not further, how to stop it',
  },
  ui: { load: () => import('./ui.ts'), summary: 'status as a page for the browser of this machine' },
  promote: { load: () => import('./promote.ts'), summary: 'candidate to 100 % now; the watch stays on' },
  step: { load: () => import('./step.ts'), summary: 'next weight now' },
  rollback: {
    load: () => import('./rollback.ts'),
    summary: 'candidate to 0 now; after keepWarm the previous or a named revision',
  },
  hold: { load: () => import('./hold.ts'), summary: 'stop steps, never a rollback' },
  resume: { load: () => import('./resume.ts'), summary: 'let steps go on' },
  unlock: { load: () => import('./unlock.ts'), summary: 'take the lock from a driver that is dead or hangs' },
  pin: {
    load: () => import('./pin.ts'),
    summary: 'send a header or cookie to a role or revision: A/B, preview, kill switch',
  },
  unpin: { load: () => import('./unpin.ts'), summary: 'take a pin off' },
  wait: { load: () => import('./wait.ts'), summary: 'wait until a release is promoted or has ended' },
  history: { load: () => import('./history.ts'), summary: 'which releases there were, and how they ended' },
  why: {
    load: () => import('./why.ts'),
    summary: 'what was decided in a release, and from which evidence; of a step: which inputs were new',
  },
  logs: { load: () => import('./logs.ts'), summary: 'the whole log of a step, of the last run' },
  judge: {
    load: () => import('./judge.ts'),
    summary: 'replay: what was counted before, judged again, also with other settings',
  },
  observe: {
    load: () => import('./observe.ts'),
    summary: 'judge the live lane against itself: how often would a good release be rolled back',
  },
  config: {
    load: () => import('./config.ts'),
    summary: 'every value of headgate.yaml with its source, or every mistake at once',
  },
  env: { load: () => import('./env.ts'), summary: 'what a service gets as variables, for eval and .env' },
  roll: {
    load: () => import('./roll.ts'),
    summary: 'on Kubernetes: rolling update of the live lane by Ansible, without steps or a judge',
  },
  bootstrap: {
    load: () => import('./bootstrap.ts'),
    summary: 'on Kubernetes, once: lanes, routes, roles, streams and consumers',
  },
  deploy: {
    load: () => import('./deploy.ts'),
    summary: 'on Kubernetes, what stands around the lanes: queue, gateway, infra, frontend',
  },
  forward: {
    load: () => import('./forward.ts'),
    summary: 'on Kubernetes: a port of this machine that leads to the gateway, or to its metrics',
  },
  doctor: { load: () => import('./doctor.ts'), summary: 'what this machine, your manifests and your cluster lack' },
  cluster: {
    load: () => import('./cluster.ts'),
    summary: 'the local platform, or a cluster for an app on Kubernetes: up, start, info, logs, stop, down',
  },
} as const satisfies Record<string, { load: () => Promise<{ command: Subcommand }>; summary: string }>;

export type SubcommandName = keyof typeof subcommands;

const showing: readonly string[] = [
  'status',
  'ui',
  'history',
  'why',
  'logs',
  'judge',
  'observe',
  'config',
  'env',
  'doctor',
] satisfies SubcommandName[];

/** Whether this call only shows what there is: nothing is lost when it ends early. */
export function isShowing([name = '']: readonly string[]): boolean {
  return showing.includes(name);
}

/** How a program reads the output of this call; `undefined`: it is for people. */
export function programOf(args: readonly string[]): 'json' | 'lines' | undefined {
  if (args.includes('--json')) return 'json';
  return args[0] === 'env' || args.some((one) => ['--print', '--prometheus'].includes(one)) ? 'lines' : undefined;
}

/** The whole CLI but `process`. @returns the exit code (README, "Exit codes") */
export async function main(args: readonly string[], shell: Shell): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    shell.out(help());
    return name === undefined ? exitCodes.USAGE : 0;
  }
  if (name === '--version' || name === '-V') {
    shell.out(`${ownVersion()}\n`);
    return 0;
  }
  if (!isSubcommand(name)) {
    shell.err(`Cannot run "headgate ${name}" as there is no such command\n\n${help()}`);
    return exitCodes.USAGE;
  }
  try {
    const { command } = await subcommands[name].load();
    const call = parseCall(name, command, rest);
    if (call.values['help'] === true) {
      shell.out(helpFor(name, command));
      return 0;
    }
    return await command.run(call, shell);
  } catch (error) {
    return report(error, shell);
  }
}

function parseCall(name: string, command: Subcommand, args: readonly string[]): Call {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([key, { type, short }]) => [
      key,
      { type, ...(short === undefined ? {} : { short }) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    const { min, max } = command.positionals;
    if (values['help'] !== true && (positionals.length < min || positionals.length > max)) {
      throw new TypeError(
        `it takes ${min === max ? min : `${min} to ${max}`} words after its name: current value is "${positionals.join(' ')}"`,
      );
    }
    return { values, positionals };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new HeadgateError('USAGE', `Cannot run "headgate ${name}" as ${why}`, {
      hint: `run \`headgate ${name} --help\``,
      cause: error,
    });
  }
}

/** What a person can act on gets its hint; our own bug gets its stack. */
function report(error: unknown, shell: Shell): number {
  if (isHeadgateError(error)) {
    shell.err(`${paint(shell, 'red', error.message)}\n  ${error.hint}\n`);
    return exitCodes[error.code] ?? 2;
  }
  if (shell.signal.aborted) return 130;
  shell.err(
    `${paint(shell, 'red', 'Headgate has failed by a mistake of its own')}\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return 2;
}

function isSubcommand(name: string): name is SubcommandName {
  return Object.hasOwn(subcommands, name);
}

/** As far from the sources as from what is compiled of them. */
function ownVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function help(): string {
  const lines = Object.entries(subcommands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return `headgate: opens a release by degrees, and can shut it at once\n\n${lines.join('\n')}\n\nheadgate <command> --help says more, --version which Headgate this is.\n`;
}

function helpFor(name: string, command: Subcommand): string {
  const options = Object.entries(command.options).map(([key, { type, short, help: words }]) => {
    const flagText = `${short === undefined ? '    ' : `-${short}, `}--${key}${type === 'string' ? ` <${key}>` : ''}`;
    return `  ${flagText.padEnd(32)} ${words}`;
  });
  return `headgate ${name} ${command.usage}\n\n${command.help}\n\n${options.join('\n')}\n`;
}
