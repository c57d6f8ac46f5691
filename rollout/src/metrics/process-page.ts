import { laneOfStream } from '../queue/names.ts';
import { type Sample, samplesOf } from './exposition.ts';
import type { Series } from './processes.ts';

/** What Headgate knows of a lane process's `/metrics` page. Everything else on it is left alone, and so is another app's stream. */
export function readProcessPage(text: string, app: string): Series {
  const series: Record<string, number> = {};
  if (/^# TYPE headgate_latency_bucket_total /m.test(text)) series['latency'] = 0;
  if (/^# TYPE headgate_acked_total /m.test(text)) Object.assign(series, { acked: 0, ackTime: 0 });
  for (const sample of samplesOf(text)) {
    const key = sample === undefined || !(sample.value >= 0) ? undefined : keyOf(sample, app);
    if (sample === undefined || key === undefined) continue;
    series[key] = (series[key] ?? 0) + sample.value;
    if (key.startsWith('latency/')) series['latency'] = (series['latency'] ?? 0) + sample.value;
  }
  return series;
}

function keyOf({ name, labels }: Sample, app: string): string | undefined {
  const lane = laneOfStream(app, labels['stream'] ?? '');
  const bucket = labels['bucket'] ?? '';
  switch (name) {
    case 'headgate_latency_bucket_total':
      return `latency/${bucket}`;
    case 'headgate_acked_total':
      return lane === undefined ? undefined : `acked/${lane}`;
    case 'headgate_terminated_total':
      return lane === undefined ? undefined : `terminated/${lane}`;
    case 'headgate_ack_time_bucket_total':
      return lane === undefined ? undefined : `ackTime/${lane}/${bucket}`;
    case 'process_start_time_seconds':
      return 'startedAtSec';
    default:
      return undefined;
  }
}
