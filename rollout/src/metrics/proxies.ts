/** What the proxies of the lanes count themselves: all that reached them, by weight or by pin alike. */
import { type Lane, lanes } from '../lane.ts';
import type { Counted, CountsIn } from './counts.ts';
import { type Sample, samplesOf } from './exposition.ts';
import type { Totals } from './metrics.ts';

/** Pinned requests are among the weighted ones: the proxies do not tell them apart. */
export function proxyCounts(app: string): CountsIn {
  return (samples) => {
    const info = samples.find(({ name, labels }) => name === 'headgate_info' && labels['app'] === app);
    const lane = lanes.find((one) => one === info?.labels['lane']);
    return lane === undefined ? [] : samples.flatMap((sample) => countedIn(sample, lane));
  };
}

function countedIn(sample: Sample, lane: Lane): readonly Counted[] {
  return outcomesOf(sample).map((what) => ({ lane, way: 'weighted', what, sample }));
}

/**
 * All that one proxy has answered, and what it is at (0 where it does not tell), in its own counters' text.
 *
 * @throws Error if it counts no requests
 */
export function requestsIn(text: string): { readonly answered: number; readonly inFlight: number } {
  const samples = samplesOf(text).filter((sample) => sample !== undefined);
  const counted = samples.filter((sample) => outcomesOf(sample).includes('requests'));
  if (counted.length === 0) throw new Error('its page of counters has no headgate_requests_total');
  const sum = (all: readonly Sample[]) => all.reduce((total, { value }) => total + value, 0);
  return { answered: sum(counted), inFlight: sum(samples.filter(({ name }) => name === 'headgate_in_flight')) };
}

/** What a sample of a proxy counts; nothing for all others. */
export function outcomesOf({ name, labels }: Sample): readonly (keyof Totals)[] {
  switch (`${name} ${labels['class'] ?? labels['late'] ?? ''}`) {
    case 'headgate_requests_total 2xx':
    case 'headgate_requests_total 3xx':
      return ['requests'];
    case 'headgate_requests_total 4xx':
    case 'headgate_clients_gone_total no':
      return ['requests', 'refused'];
    case 'headgate_requests_total 5xx':
    case 'headgate_clients_gone_total yes':
      return ['requests', 'failed'];
    default:
      return [];
  }
}
