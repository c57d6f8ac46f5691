/** The driver's number on what it wrote. */
import { HeadgateError } from '../../errors.ts';
import type { KubeObject } from './client.ts';
import { marks } from './lane-names.ts';

/** `undefined` before a driver's first write, and for what is no number. */
export function fenceOf({ metadata }: Pick<KubeObject, 'metadata'>): number | undefined {
  const text = metadata.annotations?.[marks.fence];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * A driver that was replaced and does not know it yet must not write over the one that replaced it.
 * @param what such as `HTTPRoute shop/ratings`
 * @param written number on the object
 * @throws {HeadgateError} `LOCK_HELD`
 */
export function refuseReplaced(what: string, written: number | undefined, fence: number): void {
  if (written === undefined || written <= fence) return;
  throw new HeadgateError(
    'LOCK_HELD',
    `Cannot write ${what} as driver ${fence} was replaced: current value is "${written}"`,
    { hint: 'run `headgate status` to see who drives now' },
  );
}
