import type { Lane } from '../lane.ts';
import type { Lags } from '../policy/evidence.ts';
import { lag } from '../queue/seen.ts';
import type { Sights } from './watcher.ts';

/** What waits in both lanes; `undefined` unless both were seen. */
export function lagsOf({ queues }: Sights): Lags | undefined {
  const { blue, green } = queues;
  if (blue === undefined || green === undefined) return undefined;
  const of = (lane: Lane) => ({
    lag: lag(lane === 'blue' ? blue : green),
    oldestMs: (lane === 'blue' ? blue : green).oldestAgeMs,
  });
  return { blue: of('blue'), green: of('green') };
}
