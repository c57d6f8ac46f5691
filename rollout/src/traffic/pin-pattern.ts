import type { Pin } from '../lane.ts';

/** Regular expressions for pins, in the part of the language that RE2 and PCRE share. */

/** Whole on purpose: some gateways look for a pattern anywhere, some compare the whole value with it. */
export function cookiePattern({ value }: Pick<Pin, 'value'>): string {
  return `^(.*;\\s*)?${literalPattern(value)}(\\s*;.*)?$`;
}

/** Text that stands for itself. */
export function literalPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
