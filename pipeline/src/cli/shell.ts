import { once } from 'node:events';
import { HeadgateError } from '@headgate/rollout/errors';
import { durationMs } from '@headgate/rollout/status';
import type { Guard } from '../host/guard.ts';

/** All that a command sees of the process, so that a test can run it with a shell of its own. */
export type Shell = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Output goes to a person's terminal: colour and repainting are welcome. */
  readonly isTerminal: boolean;
  /** `user@host`. */
  readonly user: string;
  /** The person behind it, as the host knows them; empty for none. */
  readonly person: string;
  /** Aborts at SIGINT, SIGTERM or SIGHUP. A command then ends safely within seconds. */
  readonly signal: AbortSignal;
  /** Between this process and a CI host that obeys what it reads. `out` and `err` go through it. */
  readonly guard: Guard;
};

export type Option = { readonly type: 'string' | 'boolean'; readonly short?: string; readonly help: string };

/** One subcommand: a file of its own, loaded when it is called. */
export type Subcommand = {
  /** After `headgate <name>`. */
  readonly usage: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly positionals: { readonly min: number; readonly max: number };
  /** @returns the exit code */
  readonly run: (call: Call, shell: Shell) => Promise<number>;
};

export type Call = {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
};

/** Text of an option, or `undefined` when it was not given. */
export function text(call: Call, name: string): string | undefined {
  const value = call.values[name];
  return typeof value === 'string' ? value : undefined;
}

export function flag(call: Call, name: string): boolean {
  return call.values[name] === true;
}

/** A chance above 0 and below 1. @throws {HeadgateError} `USAGE` */
export function chance(call: Call, name: string): number | undefined {
  const given = text(call, name);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (value > 0 && value < 1) return value;
  throw unfit(name, 'above 0 and below 1', given);
}

/** A duration such as 3m, in ms. @throws {HeadgateError} `USAGE` */
export function span(call: Call, name: string): number | undefined {
  const given = text(call, name);
  if (given === undefined) return undefined;
  const ms = durationMs(given);
  if (ms !== undefined) return ms;
  throw unfit(name, 'a duration such as 90s, 3m or 2h', given);
}

/** Says where a command that listens on this machine can be reached, and stays until Ctrl-C. @returns the exit code */
export async function stayAt(url: string, call: Call, { out, signal }: Shell): Promise<number> {
  out(flag(call, 'json') ? `${JSON.stringify({ url })}\n` : `${url}\n`);
  if (!signal.aborted) await once(signal, 'abort');
  return 0;
}

/** Of such a command. */
export const portOption: Option = { type: 'string', help: 'the port of this machine (default any that is free)' };

/** A port, 0 for any that is free. @throws {HeadgateError} `USAGE` */
export function port(call: Call, name: string): number | undefined {
  const given = text(call, name);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isInteger(value) && value >= 0 && value < 65_536) return value;
  throw unfit(name, 'a whole number up to 65535', given);
}

/** A whole number from 1. @throws {HeadgateError} `USAGE` */
export function count(call: Call, name: string): number | undefined {
  const given = text(call, name);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (Number.isInteger(value) && value >= 1) return value;
  throw unfit(name, 'a whole number from 1', given);
}

/** One of the words that an option takes. @throws {HeadgateError} `USAGE` */
export function word<const Word extends string>(call: Call, name: string, words: readonly Word[]): Word | undefined {
  const given = text(call, name);
  const found = words.find((one) => one === given);
  if (given === undefined || found !== undefined) return found;
  throw unfit(name, `one of ${words.join(', ')}`, given);
}

function unfit(name: string, rule: string, value: string): HeadgateError {
  return new HeadgateError('USAGE', `Cannot go on as --${name} must be ${rule}: current value is "${value}"`, {
    hint: 'run the command with --help',
  });
}

const colours = { red: 31, green: 32, yellow: 33, blue: 34, cyan: 36, grey: 90, bold: 1 } as const;
export type Colour = keyof typeof colours;

/** Colour on a terminal only, and never with NO_COLOR. */
export function paint(shell: Pick<Shell, 'isTerminal' | 'env'>, colour: Colour, words: string): string {
  return shell.isTerminal && shell.env['NO_COLOR'] === undefined
    ? `\u001b[${colours[colour]}m${words}\u001b[0m`
    : words;
}
