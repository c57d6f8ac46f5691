import { parentPort, workerData } from 'node:worker_threads';
import { type Chance, seeded } from '../src/judge/chance.rig.ts';
import type { Figure } from './figures.ts';

/** What the thread of one part was started with. */
export type Task = { readonly part: string; readonly seed: number; readonly quick: boolean };

export type Told =
  | { readonly kind: 'figure'; readonly figure: Figure }
  | { readonly kind: 'note'; readonly text: string };

/** A quick run shows the same figures on fewer releases; the allowance for chance grows with that by itself. */
const quickly = 0.06;
const runsMin = 30;

const task = workerData as Task; // Only `sim.ts` starts these threads.
let seed = task.seed;

/** Each run has chance of its own; the same command gives the same runs. */
export function nextChance(): Chance {
  return seeded(seed++);
}

export function runsOf(full: number): number {
  return task.quick ? Math.max(runsMin, Math.round(full * quickly)) : full;
}

export function report(figure: Figure): void {
  tell({ kind: 'figure', figure });
}

/** A figure that no bound is given for. */
export function note(text: string): void {
  tell({ kind: 'note', text });
}

function tell(told: Told): void {
  parentPort?.postMessage(told);
}
