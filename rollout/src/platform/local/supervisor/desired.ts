import { readFile } from 'node:fs/promises';
import { replaceDurably, unlessMissing } from '../../../journal/files.ts';
import { type Lane, lanes, type PerLane } from '../../../lane.ts';
import type { Revision } from '../../../revision.ts';

/** What drivers asked for; it outlives the supervisor. */
export type LaneDesired = {
  readonly revision: Revision | undefined;
  /** What its workers have instead, while they work off what another revision left. */
  readonly lent: Revision | undefined;
  readonly replicas: Readonly<Record<string, number>>;
};

export type Desired = PerLane<LaneDesired>;

const nothing: LaneDesired = { revision: undefined, lent: undefined, replicas: {} };

/** The file is our own and written whole, so that it is trusted. */
export async function readDesired(file: string): Promise<Desired> {
  const text = await unlessMissing(readFile(file, 'utf8'));
  const written = text === undefined ? {} : (JSON.parse(text) as Partial<Record<Lane, Partial<LaneDesired>>>);
  const [blue, green] = lanes.map((lane) => ({ ...nothing, ...written[lane] }));
  return { blue: blue ?? nothing, green: green ?? nothing };
}

export function writeDesired(file: string, desired: Desired): Promise<void> {
  return replaceDurably(file, JSON.stringify(desired, null, 1));
}
