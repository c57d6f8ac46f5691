import { inspect } from 'node:util';
import { type ErrorCode, exitCodes } from '@headgate/rollout/errors';
import type { Failure } from '../event.ts';

/** What the engine itself finds wrong with a step. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly class: 'TIMEOUT' | 'STUCK' | 'OUTPUTS';

  constructor(kind: 'TIMEOUT' | 'STUCK' | 'OUTPUTS', message: string, cause?: unknown) {
    super(message, { cause });
    this.class = kind;
  }
}

/** Whatever a step threw, as data. Told apart by shape, since errors may come from another realm or another copy of zx. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StepError) return { class: error.class, message: error.message, hint: undefined, exitCode: 1 };
  if (!(error instanceof Error)) return unexpected(inspect(error), 1);
  if ('code' in error && isErrorCode(error.code)) {
    const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
    return { class: error.code, message: error.message, hint, exitCode: exitCodes[error.code] };
  }
  if ('stdall' in error && 'exitCode' in error) {
    const how = 'signal' in error && error.signal ? `signal ${error.signal}` : `exit code ${error.exitCode}`;
    return { class: 'COMMAND', message: `a command ended with ${how}`, hint: undefined, exitCode: 1 };
  }
  return unexpected(error.message, error.name === 'InvariantError' ? 2 : 1);
}

/** Whether it is an error of the system with this code, whatever realm it comes from. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

function unexpected(message: string, exitCode: number): Failure {
  return { class: 'UNEXPECTED', message, hint: undefined, exitCode };
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(exitCodes, code);
}
