import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HeadgateError } from '@headgate/rollout/errors';
import {
  formatIssues,
  openPlatform,
  openRecords,
  type Platform,
  parseSpec,
  type Records,
  type Spec,
  type SpecValue,
} from '@headgate/rollout/status';
import { type CiHost, openHost } from '../host/host.ts';
import { hasCode } from '../run/failure.ts';
import { type Call, type Option, type Shell, text } from './shell.ts';

/** Options that every command about an app takes. */
export const appOptions = {
  file: { type: 'string', short: 'f', help: 'the app (default headgate.yaml)' },
  environment: { type: 'string', short: 'e', help: 'environment of headgate.yaml to merge over the rest' },
  json: { type: 'boolean', help: 'answer as JSON' },
} as const satisfies Record<string, Option>;

export const actOptions = {
  ...appOptions,
  release: { type: 'string', help: 'the release that is meant; refused (12) if it is not the current one' },
  reason: { type: 'string', help: 'one sentence for the record' },
} as const satisfies Record<string, Option>;

export type App = {
  readonly spec: Spec;
  /** Of headgate.yaml; `undefined`: that of the file itself. */
  readonly environment?: string | undefined;
  /** Where headgate.yaml lies. */
  readonly folder: string;
  /** Where the local platform keeps its state. */
  readonly state: string;
  /** Options by which a command in another folder finds the same app. */
  readonly options: readonly string[];
};

/** `values`: what is in force, and who says so. */
export type WrittenApp = App & { readonly values: readonly SpecValue[] };

/** Reads the app's file. @throws {HeadgateError} `SPEC_INVALID` with every mistake, its place, its rule and its value */
export async function openApp(call: Call, shell: Shell): Promise<WrittenApp> {
  const environment = text(call, 'environment');
  const { file, name, local, parsed } = await parse(call, environment, shell);
  if (parsed.kind === 'issues') {
    throw new HeadgateError('SPEC_INVALID', `Cannot use "${file}":\n${formatIssues(parsed.issues)}`, {
      hint: 'mend these lines; nothing was done',
    });
  }
  if (local !== undefined) shell.err(`${local.file} is merged over ${name}, on this machine alone\n`);
  return appOf(parsed, file, environment);
}

/** The same app in another environment, or `undefined` if the file has none of that name. */
export async function openEnvironment(call: Call, environment: string, shell: Shell): Promise<App | undefined> {
  const { file, parsed } = await parse(call, environment, shell);
  // Every environment is checked whenever the file is read, so nothing but its absence can be wrong here.
  return parsed.kind === 'issues' ? undefined : appOf(parsed, file, environment);
}

/** Environments share nothing: each has a state of its own. */
function appOf(
  { spec, values }: Pick<WrittenApp, 'spec' | 'values'>,
  file: string,
  environment: string | undefined,
): WrittenApp {
  const state = join(dirname(file), '.headgate');
  const named = environment === undefined ? [] : ['--environment', environment];
  return {
    spec,
    values,
    environment,
    folder: dirname(file),
    state: environment === undefined ? state : join(state, environment),
    options: ['--file', file, ...named],
  };
}

async function parse(call: Call, environment: string | undefined, shell: Shell) {
  const name = text(call, 'file') ?? 'headgate.yaml';
  const file = resolve(shell.cwd, name);
  const source = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new HeadgateError('SPEC_INVALID', `Cannot read the app as there is no file "${file}"`, {
      hint: 'go to the folder of headgate.yaml, or name it with --file',
      cause,
    });
  });
  const local = await readLocal(name, shell);
  const parsed = parseSpec(source, { file: name, ...(environment === undefined ? {} : { environment }), local });
  return { file, name, local, parsed };
}

/** What one machine has of its own: headgate.local.yaml beside headgate.yaml, which git does not see. `undefined` for none. */
async function readLocal(name: string, shell: Shell): Promise<{ file: string; text: string } | undefined> {
  const file = name.replace(/(\.ya?ml)?$/, '.local$1');
  const path = resolve(shell.cwd, file);
  const source = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new HeadgateError('SPEC_INVALID', `Cannot read "${path}" as it must be a file that this user may read`, {
      hint: 'mend it, or take it away',
      cause,
    });
  });
  return source === undefined ? undefined : { file, text: source };
}

/** Journal, wishes and lock alone: enough for `status`, and starts nothing. */
export function openJournal(app: App): Records {
  return openRecords(app.spec, app.state);
}

/** All ports of the app; starts the local platform when it does not run yet. */
export function openPorts({ spec, state }: App, shell: Shell, isMade = false): Promise<Platform> {
  return openPlatform(spec, { state, isMade, signal: shell.signal, say: (line) => shell.err(`${line}\n`) });
}

/** `--release 42` as a number. @throws {HeadgateError} `USAGE` */
export function releaseNumber(call: Call): number | undefined {
  const given = text(call, 'release');
  if (given === undefined) return undefined;
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1) {
    throw new HeadgateError(
      'USAGE',
      `Cannot use --release as it must be a whole number from 1: current value is "${given}"`,
      { hint: 'run `headgate history` for the numbers' },
    );
  }
  return number;
}

/** Where the command runs: on a CI host, or at a person's. */
export function openHostOf({ folder: root }: App, { out: write, env, guard, isTerminal }: Shell): Promise<CiHost> {
  return openHost({ root, env, write, guard, isTerminal });
}
