import { line } from './figures.ts';
import type { Told } from './part.ts';

/** How a figure is printed. */
export function toldLine(told: Told): string {
  return told.kind === 'figure' ? line(told.figure) : `     ${told.text}`;
}
