import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  formatIssues,
  HeadgateError,
  openPlatform,
  openRecords,
  type Platform,
  parseSpec,
  type Records,
  type Spec,
} from '@headgate/rollout';
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
  /** Where headgate.yaml lies. */
  readonly folder: string;
  /** Where the local platform keeps its state. */
  readonly state: string;
};

/** Reads the app's file. @throws {HeadgateError} `SPEC_INVALID` with every mistake, its place, its rule and its value */
export async function openApp(call: Call, shell: Shell): Promise<App> {
  const environment = text(call, 'environment');
  const { file, parsed } = await parse(call, environment, shell);
  if (parsed.kind === 'issues') {
    throw new HeadgateError('SPEC_INVALID', `Cannot use "${file}":\n${formatIssues(parsed.issues)}`, {
      hint: 'mend these lines; nothing was done',
    });
  }
  return appOf(parsed.spec, file, environment);
}

/** The same app in another environment, or `undefined` if the file has none of that name. */
export async function openEnvironment(call: Call, environment: string, shell: Shell): Promise<App | undefined> {
  const { file, parsed } = await parse(call, environment, shell);
  // Every environment is checked whenever the file is read, so nothing but its absence can be wrong here.
  return parsed.kind === 'issues' ? undefined : appOf(parsed.spec, file, environment);
}

/** Environments share nothing: each has a state of its own. */
function appOf(spec: Spec, file: string, environment: string | undefined): App {
  const state = join(dirname(file), '.headgate');
  return { spec, folder: dirname(file), state: environment === undefined ? state : join(state, environment) };
}

async function parse(call: Call, environment: string | undefined, shell: Shell) {
  const file = resolve(shell.cwd, text(call, 'file') ?? 'headgate.yaml');
  const source = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new HeadgateError('SPEC_INVALID', `Cannot read the app as there is no file "${file}"`, {
      hint: 'go to the folder of headgate.yaml, or name it with --file',
      cause,
    });
  });
  const parsed = parseSpec(source, {
    file: text(call, 'file') ?? 'headgate.yaml',
    ...(environment === undefined ? {} : { environment }),
  });
  return { file, parsed };
}

/** Journal, wishes and lock alone: enough for `status`, and starts nothing. */
export function openJournal(app: App): Records {
  return openRecords(app.spec, app.state);
}

/** All ports of the app; starts the local platform when it does not run yet. */
export function openPorts(app: App, shell: Shell): Promise<Platform> {
  return openPlatform(app.spec, { state: app.state, signal: shell.signal, say: (line) => shell.err(`${line}\n`) });
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
